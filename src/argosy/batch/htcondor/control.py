"""condor_rm, condor_hold, condor_release, condor_suspend and condor_continue: acting on jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.model import Command, Completed, InvalidInput, Unavailable

from .environment import query
from .queue import ID, valid
from .submit import away

_COMMANDS = {
    Control.CANCEL: "condor_rm",
    Control.HOLD: "condor_hold",
    Control.RELEASE: "condor_release",
    Control.SUSPEND: "condor_suspend",
    Control.RESUME: "condor_continue",
}
# "Job 12.0 marked for removal", "Job 12.0 not found", "Permission denied to remove job 12.0"
_WELL = re.compile(r"Job (\d+\.\d+) (?:marked for|held|released|suspended|continued)", re.ASCII)
_REFUSED = re.compile(r"(?:.*?\b)?[Jj]ob (?P<id>\d+\.\d+)\b.*\Z", re.ASCII)
_ENDED = ("not found", "already marked for removal", "already completed")


def control(verb: Control, ids: Sequence[str]) -> Command:
    """The command for all these ids. A number without a dot would be a whole cluster, and is left out."""
    named = valid(ids)
    if not named:
        raise InvalidInput(f"{', '.join(map(repr, ids))} is no job id of HTCondor: those are like 12.0", element="id")
    return query(_COMMANDS[verb], *named)


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for."""
    wanted = frozenset(ids)
    refused = {one: "this is no job id of HTCondor" for one in ids if not ID.match(one)}
    spoken = False
    for line in (*done.stdout.splitlines(), *done.stderr.splitlines()):
        if _WELL.match(line.strip()):
            spoken = True
        elif match := _REFUSED.match(line.strip()):
            spoken = True
            if verb is Control.CANCEL and any(words in line for words in _ENDED):
                continue
            if match["id"] in wanted:
                refused[match["id"]] = line.strip()
    if done.returncode == 0 or spoken:
        return refused
    if away(done.words) or done.returncode < 0:
        raise Unavailable(f"HTCondor did not answer: {done.words}")
    return refused | dict.fromkeys(ids, done.words)
