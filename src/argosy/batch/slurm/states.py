"""Slurm's state words (squeue(1), sacct(1), "JOB STATE CODES", 22.05 to 24.11) and wait statuses."""

from __future__ import annotations

from dataclasses import dataclass

from argosy.model import Outcome, Phase

_P = Phase
_ENDED: dict[str, Outcome] = {
    "COMPLETED": Outcome.EXITED,
    "FAILED": Outcome.EXITED,
    "CANCELLED": Outcome.CANCELLED,
    "TIMEOUT": Outcome.TIMEOUT,
    "DEADLINE": Outcome.TIMEOUT,
    "OUT_OF_MEMORY": Outcome.OUT_OF_MEMORY,
    "NODE_FAIL": Outcome.NODE_FAILURE,
    "BOOT_FAIL": Outcome.NODE_FAILURE,
    "PREEMPTED": Outcome.PREEMPTED,
}
_GOING_ON: dict[str, Phase] = {
    "PENDING": _P.QUEUED,
    "CONFIGURING": _P.QUEUED,  # nodes are allocated, and are being made ready
    "POWER_UP_NODE": _P.QUEUED,
    "REQUEUED": _P.QUEUED,
    "REQUEUE_FED": _P.QUEUED,
    "EXPEDITING": _P.QUEUED,
    "REQUEUE_HOLD": _P.HELD,
    "SPECIAL_EXIT": _P.HELD,
    "RESV_DEL_HOLD": _P.HELD,
    "RUNNING": _P.RUNNING,
    "RESIZING": _P.RUNNING,
    "SIGNALING": _P.RUNNING,
    "SUSPENDED": _P.SUSPENDED,
    "STOPPED": _P.SUSPENDED,
    "COMPLETING": _P.ENDING,
    "STAGE_OUT": _P.ENDING,
    "REVOKED": _P.OTHER,  # another cluster of the federation has it
}
#: Every state word, and what it means.
STATES: dict[str, tuple[Phase, Outcome | None]] = {
    **{word: (_P.ENDED, outcome) for word, outcome in _ENDED.items()},
    **{word: (phase, None) for word, phase in _GOING_ON.items()},
}

#: Reasons of PENDING jobs that somebody has to release.
_HELD = frozenset({"jobhelduser", "jobheldadmin", "jobholdmaxrequeue"})

#: The signal by which Slurm says that it could not start the script (no such directory, output not to be opened).
_NOT_STARTED = 53


def read_state(word: str, reason: str | None) -> tuple[Phase, Outcome | None]:
    """The phase, and the outcome where that is ENDED. Words that are not known are OTHER."""
    phase, outcome = STATES.get(word.partition(" ")[0], (_P.OTHER, None))
    if phase is _P.QUEUED and reason is not None:
        plain = reason.lower().replace("_", " ")
        if plain.replace(" ", "") in _HELD or plain.endswith(("requeued held", "requeued in held state")):
            return _P.HELD, None
    return phase, outcome


@dataclass(frozen=True, slots=True)
class Ending:
    """How an ended job ended: `exit_code` only with EXITED, and there None where it is not certain."""

    outcome: Outcome
    exit_code: int | None = None
    signal: int | None = None


def read_ending(outcome: Outcome, code: int | None, signal: int | None, hosts: tuple[str, ...]) -> Ending:
    """The ending from the state's outcome, exit code, signal and hosts. Without hosts it was never started."""
    if outcome in (Outcome.EXITED, Outcome.TIMEOUT) and not hosts:
        return Ending(Outcome.NOT_STARTED)
    if outcome is not Outcome.EXITED:
        return Ending(outcome, signal=signal if signal is not None and signal <= 64 else None)
    if signal == _NOT_STARTED:
        return Ending(Outcome.NOT_STARTED)
    if signal is not None and signal <= 64:
        return Ending(outcome, 128 + signal, signal)
    return Ending(outcome, code)


def split_wait_status(status: int) -> tuple[int, int | None]:
    """Exit code and signal of a wait status as Slurm keeps it: wait(2)'s, or 128 + 125 for out of memory."""
    signal = status & 0x7F
    return (status >> 8) & 0xFF, signal or None
