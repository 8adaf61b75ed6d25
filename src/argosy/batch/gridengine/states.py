"""Grid Engine's state letters and failure codes (sge_status(5), 8.1.9), and how a job ended."""

from __future__ import annotations

import re
from dataclasses import dataclass

from argosy.model import Outcome, Phase

_LETTERS = re.compile(r"[A-Za-z]{1,10}\Z", re.ASCII)


def read_state(letters: str) -> Phase:
    """The phase of a set of letters, e.g. ``hqw``, ``Rr``. Raises ValueError where they are none.

    A job in error (E) is held: it waits for somebody to clear the error (qmod -cj) or to delete it, and may then
    run; so it has not failed. One that is being transferred to its host (t) still waits.
    """
    if _LETTERS.match(letters) is None:
        raise ValueError(f"{letters!r} is not a state")
    if "d" in letters:
        return Phase.ENDING
    if "E" in letters:
        return Phase.HELD
    if any(letter in letters for letter in "sST"):
        return Phase.SUSPENDED
    if "r" in letters:
        return Phase.RUNNING
    if "t" in letters:
        return Phase.QUEUED
    if "q" in letters:
        return Phase.HELD if "h" in letters else Phase.QUEUED
    return Phase.OTHER


#: Codes of runs that were not the last: checkpointed to go on elsewhere, put back into the queue.
RUNS_AGAIN = frozenset({24, 25})
#: The application ran, and something after it failed.
_AFTER = frozenset({0, 12, 13, 14, 15, 16, 30})
#: The host or its daemons failed while it ran.
_HOST = frozenset({18, 19, 20, 21})
#: Killed by the queue master for a limit.
_LIMIT = 37
#: It could not be started: from its daemons' preparations to its prolog, output, shell and directory.
_BEFORE = frozenset({*range(1, 12), *range(26, 30), *range(31, 37), 38})
#: Ended by a signal.
_SIGNALLED = frozenset({17, 100})


@dataclass(frozen=True, slots=True)
class Facts:
    """What accounting tells of one run that decides how it ended. Times in seconds, memory in bytes."""

    failed: int
    status: int
    started: float | None
    lasted: float | None
    wall: float | None
    cpu: float | None
    memory: float | None
    wall_limit: float | None
    memory_limit: float | None
    deleted: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended: `exit_code` only with EXITED, and there None where it is not certain."""

    outcome: Outcome
    exit_code: int | None = None
    signal: int | None = None


def read_ending(facts: Facts) -> Ending:
    """The ending. A job script that was killed itself tells of qdel or a limit: it outlives its application."""
    signal = facts.status - 128 if 128 < facts.status <= 128 + 64 else None
    if facts.deleted:
        return Ending(Outcome.CANCELLED, signal=signal)
    if facts.failed in _AFTER:
        if facts.failed == 0 and facts.status == 0 and not facts.wall and not facts.cpu and (facts.lasted or 0) >= 2:
            # Nobody measured anything, however long it was there: an operator deleted it by force.
            return Ending(Outcome.CANCELLED)
        return Ending(Outcome.EXITED, facts.status, signal)
    if facts.failed in _HOST:
        return Ending(Outcome.NODE_FAILURE, signal=signal)
    if facts.failed == _LIMIT or facts.failed in _SIGNALLED:
        return _killed(facts, signal)
    if facts.failed in _BEFORE or facts.started is None:
        return Ending(Outcome.NOT_STARTED)
    return Ending(Outcome.EXITED, None, signal)  # a code that is not known: it ran, how it ended is not certain


def _killed(facts: Facts, signal: int | None) -> Ending:
    over_time = facts.wall_limit is not None and (facts.lasted or 0) >= facts.wall_limit
    over_memory = facts.memory_limit is not None and (facts.memory or 0) >= facts.memory_limit
    if over_memory and not over_time:
        return Ending(Outcome.OUT_OF_MEMORY, signal=signal)
    if over_time or facts.failed == _LIMIT or signal == 24:  # 24: XCPU
        return Ending(Outcome.TIMEOUT, signal=signal)
    if signal == 9:
        return Ending(Outcome.CANCELLED, signal=signal)
    return Ending(Outcome.EXITED, facts.status, signal)
