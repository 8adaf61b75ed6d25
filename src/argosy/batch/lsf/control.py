"""bkill, bstop and bresume: acting on jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.model import Command, Completed, InvalidInput, Unavailable

from . import fields
from .environment import query
from .submit import away

_COMMANDS = {
    Control.CANCEL: "bkill",
    Control.HOLD: "bstop",
    Control.RELEASE: "bresume",
    Control.SUSPEND: "bstop",
    Control.RESUME: "bresume",
}
# "Job <952>: User permission denied", on stderr, or with some versions on stdout; what went well is told alike:
# "Job <955> is being terminated".
_LINE = re.compile(r"Job <(?P<id>\d+(?:\[\d+\])?)> ?: ?(?P<words>.+)\Z", re.ASCII)
_WELL = re.compile(r"Job <\d+(?:\[\d+\])?> is (?:being )?\w+", re.ASCII)
_ENDED = ("already finished", "No matching job found", "is not found", "already being terminated")


def control(verb: Control, ids: Sequence[str]) -> Command:
    """The command for all these ids. Words that are no ids, 0 among them, would mean other jobs, and are left out."""
    valid = [native_id for native_id in ids if fields.ID.match(native_id)]
    if not valid:
        raise InvalidInput(
            f"{', '.join(map(repr, ids))} is no job id of LSF: those are like 123 or 123[4]", element="id"
        )
    return query(_COMMANDS[verb], *valid)


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for."""
    refused = {native_id: "this is no job id of LSF" for native_id in ids if not fields.ID.match(native_id)}
    spoken = False
    for line in (*done.stdout.splitlines(), *done.stderr.splitlines()):
        match = _LINE.match(line.strip())
        if match is None:
            spoken = spoken or _WELL.match(line.strip()) is not None
            continue
        if away(match["words"]):
            raise Unavailable(f"LSF did not answer: {done.words}")
        spoken = True
        if verb is Control.CANCEL and any(words in match["words"] for words in _ENDED):
            continue
        refused.update(
            (native_id, match["words"])
            for native_id in ids
            if native_id == match["id"] or fields.base_id(native_id) == match["id"]
        )
    if done.returncode == 0 or spoken:
        return refused
    if away(done.words) or done.returncode < 0:
        raise Unavailable(f"LSF did not answer: {done.words}")
    return refused | dict.fromkeys(ids, done.words)
