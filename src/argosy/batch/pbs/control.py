"""qdel, qhold, qrls and qsig: acting on jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.model import Command, Completed, InvalidInput, Unavailable

from . import ids as job_ids
from .environment import query
from .submit import away

_COMMANDS: dict[Control, tuple[str, ...]] = {
    Control.CANCEL: ("qdel",),
    Control.HOLD: ("qhold",),
    Control.RELEASE: ("qrls",),
    Control.SUSPEND: ("qsig", "-s", "suspend"),
    Control.RESUME: ("qsig", "-s", "resume"),
}
#: What is told of jobs that have ended, or are about to.
_ENDED = ("unknown job id", "job has finished", "invalid for state of job", "invalid state for job")
# "qdel: Unauthorized Request  1455.vm", "qhold: Job has finished", Torque's "qdel: Unknown Job Id Error 9.server"
_LINE = re.compile(
    r"(?:qdel|qhold|qrls|qsig): (?P<words>.+?)(?:\s+(?P<id>\d+(?:\[[\d,:-]*\])?(?:\.\S+)?))?\s*\Z", re.ASCII
)
#: Exit codes of a shell and of xargs(1) whose command was ended by SIGABRT.
_BROKEN = (125, 134)
#: At most so many ids on one line of xargs's input.
_ON_LINE = 100


def control(verb: Control, ids: Sequence[str], *, ranged: bool = True) -> Command:
    """The command. `ranged`: elements of arrays are deleted by ranges, ``12[0-3].server``.

    OpenPBS 23.06's qdel ends by a defect when it is given an array among several ids, having deleted nothing. So each
    command that has to do with elements of arrays names one range of one array; xargs(1) runs one command a line.
    """
    single, ranges = job_ids.ranges(ids)
    words = _COMMANDS[verb]
    if verb is not Control.CANCEL or not ranged:
        # Nothing else than deleting takes ranges.
        single, ranges = [native_id for native_id in ids if job_ids.is_id(native_id)], []
    if not single and not ranges:
        raise InvalidInput(f"PBS has no job with such an id: {', '.join(map(repr, ids))}", element="native_id")
    if not ranges and len(single) <= _ON_LINE and not (len(single) > 1 and any(map(job_ids.is_array, single))):
        return query(*words, *single)
    if not single and len(ranges) == 1:
        return query(*words, *ranges)
    plain = [native_id for native_id in single if not job_ids.is_array(native_id)]
    lines = [" ".join(plain[begin : begin + _ON_LINE]) for begin in range(0, len(plain), _ON_LINE)]
    lines += [native_id for native_id in single if job_ids.is_array(native_id)] + ranges
    return query("xargs", "-L", "1", *words, stdin="\n".join(lines) + "\n")


def parse_control(verb: Control, done: Completed, ids: Sequence[str], name: str = "PBS") -> dict[str, str]:
    """The ids that it was refused for."""
    if done.returncode == 0:
        return {}
    if away(done.stderr) or not done.stderr.strip() or done.returncode < 0 or done.returncode in _BROKEN:
        raise Unavailable(f"{name} could not be reached: {done.words}")
    asked = job_ids.Asked(ids)
    refused: dict[str, str] = {}
    spoken_of: set[str] = set()
    about_none: list[str] = []
    for line in done.stderr.splitlines():
        if not line.strip() or line.startswith("xargs:"):
            continue
        match = _LINE.match(line.strip())
        words = match["words"].strip() if match else line.strip()
        named = asked.find_named(match["id"]) if match and match["id"] else []
        spoken_of.update(named)
        if verb is Control.CANCEL and any(sign in words.lower() for sign in _ENDED):
            continue
        if named:
            refused.update(dict.fromkeys(named, words))
        else:
            about_none.append(words)
    for native_id in ids if about_none else ():
        # Of whom it speaks is not said: of any that it does not speak of by name.
        if native_id not in spoken_of:
            refused[native_id] = "; ".join(about_none)
    return refused
