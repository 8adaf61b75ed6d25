"""Acting on jobs. slurmrestd can cancel, hold and release; it has nothing for suspending."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.batch.slurm import fields
from argosy.batch.slurm.submit import away
from argosy.model import Command, Completed, InvalidInput, Unavailable

from . import requests
from .jobs import FORGOTTEN
from .server import Server

CONTROLS = frozenset({Control.CANCEL, Control.HOLD, Control.RELEASE})

_ODD = "not the id of a job of Slurm, as 7 or 7_1 are: {}"
#: Slurm's numbers for a job that is not there or has ended (slurm_errno.h): these are no refusals of a cancel.
_ENDED = frozenset({FORGOTTEN, 2021, 2084})


def control(server: Server, verb: Control, ids: Sequence[str]) -> Command:
    """The requests, one for each of what are ids. Raises InvalidInput where there is none."""
    known = [native_id for native_id in ids if fields.ID.match(native_id)]
    if not known:
        raise InvalidInput(_ODD.format(", ".join(map(repr, ids))), element="native_id")
    urls = [server.slurm(f"job/{native_id}") for native_id in known]
    if verb is Control.CANCEL:
        return requests.act(server, "DELETE", urls)
    return requests.act(server, "POST", urls, '{"hold": true}' if verb is Control.HOLD else '{"hold": false}')


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for, in Slurm's words."""
    known = [native_id for native_id in ids if fields.ID.match(native_id)]
    refused = {native_id: _ODD.format(repr(native_id)) for native_id in ids if not fields.ID.match(native_id)}
    answers = requests.answers(done)
    if len(answers) < len(known):
        raise Unavailable(f"slurmrestd did not answer: {done.words}")
    for native_id, answer in zip(known, answers, strict=False):
        if not answer.reached or away(answer.words):
            raise Unavailable(f"Slurm could not be reached: {answer.words}")
        if verb is Control.CANCEL and answer.codes & _ENDED:
            continue
        # To a change of an array's element that went well 22.05 answers with an error that has no number.
        if any(answer.codes) or answer.status >= 400:
            refused[native_id] = answer.words or f"HTTP {answer.status}"
    return refused
