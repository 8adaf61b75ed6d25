"""``flux cancel`` and ``flux job urgency``: acting on jobs.

Suspending is not among what Flux does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from argosy.batch.contract import Control
from argosy.model import Command, Completed, InvalidInput, Unavailable

from .environment import query
from .ids import number
from .queue import numbers
from .submit import away

# One job a command: before what it says stands which job it is about.
_URGENCY = r"""
urgency=$1 status=0
shift
for job; do
    printf 'argosy-job %s\n' "$job" >&2
    flux job urgency "$job" "$urgency" || status=$?
done
exit "$status"
"""
_ABOUT = re.compile(r"argosy-job (\d+)\Z", re.ASCII)
# "flux-cancel: ERROR: ƒ5TRXp5D: job is inactive", "flux-job: f1234567: unknown job"
_LINE = re.compile(r"flux-\w+: (?:ERROR: )?(?P<id>[\u0192f0-9]\w+): (?P<words>.+)\Z")
_ENDED = ("job is inactive", "unknown job", "already canceled")
_FINE = ("old urgency",)


def control(verb: Control, ids: Sequence[str]) -> Command:
    """The command for all these ids."""
    named = numbers(ids)
    if not named:
        raise InvalidInput(f"{', '.join(map(repr, ids))} is no job id of Flux: those are like f5TRXp5D", element="id")
    if verb is Control.CANCEL:
        return query("flux", "cancel", *named)
    return query("sh", "-c", _URGENCY, "flux", "hold" if verb is Control.HOLD else "default", *named)


def parse_control(verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
    """The ids that it was refused for."""
    wanted = {value: one for one in ids if (value := number(one)) is not None}
    refused = {one: "this is no job id of Flux" for one in ids if number(one) is None}
    if away(done.stderr):
        raise Unavailable(f"Flux could not be reached: {done.words}")
    about: int | None = None
    spoken = False
    for line in done.stderr.splitlines():
        if heading := _ABOUT.match(line):
            about = number(heading[1])
            continue
        match = _LINE.match(line.strip())
        words = match["words"] if match else line.strip()
        named = number(match["id"]) if match else None
        native_id = wanted.get(about if about is not None else named if named is not None else -1)
        if native_id is None or not words or any(sign in words for sign in _FINE):
            # An id of a form that cannot be read is one that nobody asked about, or in words that name no job.
            spoken = spoken or match is not None
            continue
        spoken = True
        if not (verb is Control.CANCEL and any(sign in words for sign in _ENDED)):
            refused[native_id] = words
    if done.returncode == 0 or spoken:
        return refused
    if done.returncode < 0:
        raise Unavailable(f"Flux did not answer: {done.words}")
    return refused | dict.fromkeys(ids, done.words)
