"""scancel and scontrol: acting on jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.model import Command, Completed, InvalidInput, Unavailable

from . import fields
from .environment import query
from .submit import away

# scancel:  "scancel: error: Kill job error on job id 46: Access/permission denied"
# scontrol: "Access/permission denied for job 34", "31_1: Job has already finished", "31_0-2: ..."
_SCANCEL = re.compile(r"error on job id (?P<id>[\d_]+): (?P<words>.*)", re.ASCII)
_FOR_JOB = re.compile(r"(?P<words>.+) for job (?P<id>[\d_]+)\Z", re.ASCII)
_ELEMENTS = re.compile(r"(?P<id>\d+_[\d,\[\]-]+|\d+): (?P<words>.+)\Z", re.ASCII)

_ODD = "not the id of a job of Slurm, as 7 or 7_1 are: {}"
_ENDED = ("already completing or completed", "Invalid job id specified", "already finished")


def control(verb: Control, ids: Sequence[str]) -> Command:
    """The command, about what are ids: it would also take options. Raises InvalidInput where there is none.

    scancel takes words, scontrol a list.
    """
    known = [native_id for native_id in ids if fields.ID.match(native_id)]
    if not known:
        raise InvalidInput(_ODD.format(", ".join(map(repr, ids))), element="native_id")
    if verb is Control.CANCEL:
        return query("scancel", *known)
    return query("scontrol", str(verb), ",".join(known))


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for. scancel says nothing about jobs that have ended or never were."""
    refused = {native_id: _ODD.format(repr(native_id)) for native_id in ids if not fields.ID.match(native_id)}
    spoken_of = False
    for line in done.stderr.splitlines():
        match = _SCANCEL.search(line) or _FOR_JOB.match(line) or _ELEMENTS.match(line)
        if match is None:
            continue
        if away(match["words"]):
            raise Unavailable(f"Slurm could not be reached: {done.words}")
        spoken_of = True
        if verb is Control.CANCEL and any(words in match["words"] for words in _ENDED):
            continue
        refused.update((native_id, match["words"]) for native_id in fields.elements(match["id"], ids))
    if done.returncode == 0 or spoken_of:
        return refused
    if away(done.words):
        raise Unavailable(f"Slurm could not be reached: {done.words}")
    return dict.fromkeys(ids, done.words)
