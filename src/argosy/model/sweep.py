"""The states of a sweep: many activities asked for in one request."""

from __future__ import annotations

from enum import StrEnum


class SweepState(StrEnum):
    """Where a sweep is in its life. The final states have the names of an activity's."""

    HELD = "pending:held"
    """No activity of it is made; those that are there go on."""
    RUNNING = "running"
    """Its activities are made as others end, and go on."""
    TERMINATING = "running:terminating"
    """No more are made, and those that are there are being ended."""
    FINISHED = "finished"
    """Final: all were made and have ended, each in its way; the counts tell how."""
    FAILED = "failed"
    """Final: so many failed that the others were given up, as its description says."""
    TERMINATED = "terminated"
    """Final: ended on request."""

    @property
    def final(self) -> bool:
        """Whether the sweep can no longer change."""
        return self in _FINAL


_S = SweepState
_FINAL = frozenset({_S.FINISHED, _S.FAILED, _S.TERMINATED})

#: What may follow what.
SWEEP_TRANSITIONS: dict[SweepState, frozenset[SweepState]] = {
    _S.HELD: frozenset({_S.RUNNING, _S.TERMINATING}),
    _S.RUNNING: frozenset({_S.HELD, _S.TERMINATING, _S.FINISHED}),
    _S.TERMINATING: frozenset({_S.FAILED, _S.TERMINATED}),
    _S.FINISHED: frozenset(),
    _S.FAILED: frozenset(),
    _S.TERMINATED: frozenset(),
}
