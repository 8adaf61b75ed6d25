"""qdel, qhold, qrls and qmod: acting on jobs. They print their answers to standard output, refusals too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.model import Command, Completed, InvalidInput, Unavailable

from .environment import ID, base_id, query
from .submit import away

_COMMANDS: dict[Control, tuple[str, ...]] = {
    Control.CANCEL: ("qdel",),
    Control.HOLD: ("qhold",),
    Control.RELEASE: ("qrls",),
    Control.SUSPEND: ("qmod", "-sj"),
    Control.RESUME: ("qmod", "-usj"),
}

# root - you do not have the necessary privileges to delete the job "49"
# root - you have no permission to modify job "49"
# denied: "lrm1" must be at least owner of job 49 to change job attributes
# denied: job "9999999" does not exist;  invalid queue or job "9999999"
# Modify operation can not be applied on job-array task 41.1 in pending/hold state
_REFUSAL = re.compile(
    r"privileges to delete|no permission|must be|not exist|invalid queue or job|can ?not be applied|^denied|^error:",
    re.ASCII,
)
_ID = re.compile(r"\b(?:jobs?|job-array task|task)\s+\"?(\d+(?:\.\d+)?)", re.ASCII)
_GONE = "does not exist"
_ODD = "not the id of a job of Grid Engine, as 7 or 7.1 are: {}"
_GOOD = re.compile(r"\b(?:registered|deleted|modified|suspended|unsuspended|already)\b", re.ASCII)


def control(verb: Control, ids: Sequence[str]) -> Command:
    """The command, about what are ids: it would also take names, patterns and options. Raises InvalidInput for none."""
    known = [native_id for native_id in ids if ID.match(native_id)]
    if not known:
        raise InvalidInput(_ODD.format(", ".join(map(repr, ids))), element="native_id")
    return query(*_COMMANDS[verb], *known)


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for.

    The exit code tells nothing: some that succeed end with 1, some that do nothing with 0.
    """
    refused = {native_id: _ODD.format(repr(native_id)) for native_id in ids if not ID.match(native_id)}
    good: set[str] = set()
    general: str | None = None
    spoke = False
    for line in (done.stdout + "\n" + done.stderr).splitlines():
        if not line.strip():
            continue
        if away(line):
            raise Unavailable(f"Grid Engine could not be reached: {done.words}")
        named = _meant(line, ids)
        if _REFUSAL.search(line):
            spoke = True
            if verb is Control.CANCEL and _GONE in line:
                good.update(named)
            elif named:
                refused.update(dict.fromkeys(named, line.strip()))
            else:
                general = line.strip()
        elif _GOOD.search(line):
            spoke = True
            good.update(named)
    if not spoke and done.returncode != 0:
        general = done.words
    if general is not None:
        # A refusal that names no job is of those about which nothing else was said.
        refused |= {native_id: general for native_id in ids if native_id not in good and native_id not in refused}
    return refused


def _meant(line: str, ids: Sequence[str]) -> list[str]:
    """Those of `ids` that a line is about. A job without tasks is called its task 1 at times."""
    match = _ID.search(line)
    if match is None:
        return []
    named = match[1]
    whole = base_id(named)
    return [
        native_id
        for native_id in ids
        if native_id == named or (native_id == whole and named == f"{whole}.1") or base_id(native_id) == named
    ]
