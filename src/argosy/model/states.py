"""PSI/J's job states and their partial order (PSI/J specification, "State Model" and JobState)."""

from __future__ import annotations

from enum import Enum


class JobState(bytes, Enum):
    """The state of a job.

    NEW, QUEUED, ACTIVE and the final COMPLETED, FAILED, CANCELED are what every job reports.
    STAGE_IN, STAGE_OUT and CLEANUP are reported by jobs that stage or clean up.
    """

    _final: bool

    def __new__(cls, value: int, final: bool) -> JobState:
        state = bytes.__new__(cls, [value])
        state._value_ = value
        state._final = final
        return state

    NEW = (0, False)
    QUEUED = (1, False)
    STAGE_IN = (2, False)
    ACTIVE = (3, False)
    STAGE_OUT = (4, False)
    CLEANUP = (5, False)
    COMPLETED = (6, True)
    FAILED = (7, True)
    CANCELED = (8, True)

    @property
    def final(self) -> bool:
        """Whether a job in this state can no longer change."""
        return self._final

    def is_greater_than(self, other: JobState) -> bool | None:
        """Whether this state comes after `other`; None for two different final states, which cannot be compared."""
        if self._final and other._final:
            return False if self is other else None
        return bool(self._value_ > other._value_)

    @classmethod
    def from_name(cls, name: str) -> JobState:
        """The state of that name."""
        return cls[name]

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__

    def __hash__(self) -> int:
        return int(self._value_)


def _reported_before(state: JobState) -> tuple[JobState, ...]:
    return tuple(other for other in JobState if 0 < other.value < state.value and not other.final)


# The states that a job has certainly gone through on its way (JobStatus: "simulate missing states").
PASSED_THROUGH: dict[JobState, tuple[JobState, ...]] = {
    JobState.NEW: (),
    JobState.QUEUED: (),
    JobState.STAGE_IN: (JobState.QUEUED,),
    JobState.ACTIVE: (JobState.QUEUED,),
    JobState.STAGE_OUT: (JobState.QUEUED, JobState.ACTIVE),
    JobState.CLEANUP: (JobState.QUEUED, JobState.ACTIVE),
    JobState.COMPLETED: (JobState.QUEUED, JobState.ACTIVE),
    JobState.FAILED: (),
    JobState.CANCELED: (),
}


#: The same for a job whose staging is reported.
_PASSED_THROUGH_STAGING: dict[JobState, tuple[JobState, ...]] = {
    state: () if state in (JobState.FAILED, JobState.CANCELED) else _reported_before(state) for state in JobState
}


def passed_through(state: JobState, *, staging: bool) -> tuple[JobState, ...]:
    """The states that a job in this one has certainly gone through. `staging`: with STAGE_IN, STAGE_OUT and CLEANUP."""
    return (_PASSED_THROUGH_STAGING if staging else PASSED_THROUGH)[state]


class JobStateOrder:
    """The chain of states that a successful job goes through."""

    _CHAIN = tuple(state for state in JobState if not state.final or state is JobState.COMPLETED)

    @classmethod
    def prev(cls, state: JobState) -> JobState | None:
        """The state before this one, or None where nothing need have come before (FAILED, CANCELED, NEW)."""
        if state not in cls._CHAIN:
            return None
        index = cls._CHAIN.index(state)
        return cls._CHAIN[index - 1] if index else None
