"""The service's state model: hierarchical states and the transitions between them.

Source: GES requirements, section 5.1. A state is a path of at most three levels, written with colons. The first
level is that of BES: pending, running, and the final finished, failed, terminated. The exit code is no part of
the state: an activity whose application ended by itself is `finished` whatever its exit code; it is `failed` where
something else kept it from running to its end.
"""

from __future__ import annotations

from enum import StrEnum


class ActivityState(StrEnum):
    """Where an activity is in its life."""

    PENDING = "pending"
    """Recorded; nothing is being done about it yet."""
    HELD = "pending:held"
    """Recorded; its owner has not let it start."""
    STAGING_IN = "running:stage-in:staging"
    """Its input files are arriving."""
    STAGED_IN = "running:stage-in:staged"
    """Its input files are there; it is about to be submitted."""
    SUBMITTED = "running:lrms:submitted"
    """The batch system has accepted it and has not yet said more."""
    QUEUED = "running:lrms:queued"
    """It waits in the batch system's queue."""
    LRMS_HOLD = "running:lrms:hold"
    """The batch system holds it."""
    LRMS_RUNNING = "running:lrms:running"
    """The application runs."""
    SUSPENDED = "running:lrms:suspended"
    """The application is stopped and may go on."""
    LRMS_OTHER = "running:lrms:other"
    """The batch system has it in a state of its own."""
    LRMS_FINISHED = "running:lrms:finished"
    """The application has ended by itself."""
    FORWARDED = "running:forwarded"
    """Another service has it."""
    STAGING_OUT = "running:stage-out:staging"
    """Its output files are being checked and delivered."""
    STAGED_OUT = "running:stage-out:staged"
    """Its output files are where they should be."""
    TERMINATING = "running:terminating"
    """It is being ended on request."""
    FINISHED = "finished"
    """Final: the application ended by itself; see the exit code."""
    FAILED = "failed"
    """Final: something kept it from running to its end; see the reason."""
    TERMINATED = "terminated"
    """Final: ended on request."""

    # As a text's, which it is equal to; that of an Enum is computed in Python at each look into a set.
    __hash__ = str.__hash__

    @property
    def final(self) -> bool:
        """Whether the activity has ended. A failed one can be restarted, by whoever may; nothing else changes it."""
        return self in FINAL

    @property
    def in_lrms(self) -> bool:
        """Whether the batch system has the job now."""
        return self in IN_LRMS

    def within(self, ancestor: str) -> bool:
        """Whether this state is `ancestor` or one of its sub-states, e.g. ``running:lrms``."""
        return self == ancestor or self.startswith(ancestor + ":")


_S = ActivityState

FINAL: frozenset[ActivityState] = frozenset({_S.FINISHED, _S.FAILED, _S.TERMINATED})
IN_LRMS: frozenset[ActivityState] = frozenset(
    {_S.SUBMITTED, _S.QUEUED, _S.LRMS_HOLD, _S.LRMS_RUNNING, _S.SUSPENDED, _S.LRMS_OTHER}
)
_END_EARLY = frozenset({_S.TERMINATING, _S.FAILED})

#: What may follow what. A batch system may requeue a job, so its states may follow each other in any order.
TRANSITIONS: dict[ActivityState, frozenset[ActivityState]] = {
    _S.PENDING: frozenset({_S.HELD, _S.STAGING_IN, _S.STAGED_IN, _S.FORWARDED}) | _END_EARLY,
    _S.HELD: frozenset({_S.PENDING}) | _END_EARLY,
    _S.STAGING_IN: frozenset({_S.STAGED_IN}) | _END_EARLY,
    _S.STAGED_IN: frozenset({_S.SUBMITTED, _S.STAGING_IN}) | _END_EARLY,
    **{state: (IN_LRMS | {_S.LRMS_FINISHED} | _END_EARLY) - {state} for state in IN_LRMS},
    _S.LRMS_FINISHED: frozenset({_S.STAGING_OUT}) | _END_EARLY,
    _S.FORWARDED: frozenset({_S.PENDING, _S.STAGING_OUT, _S.FINISHED}) | _END_EARLY,
    _S.STAGING_OUT: frozenset({_S.STAGED_OUT}) | _END_EARLY,
    _S.STAGED_OUT: frozenset({_S.FINISHED}) | _END_EARLY,
    _S.TERMINATING: frozenset({_S.TERMINATED, _S.FAILED}),
    _S.FINISHED: frozenset(),
    _S.FAILED: frozenset(),
    _S.TERMINATED: frozenset(),
}

#: Where a failed activity may go on when its owner restarts it: to the stage that failed. It is the only way out of a
#: final state, and no transition like the others: nothing but an event of the kind ``restarted`` goes it.
RESTARTS: frozenset[ActivityState] = frozenset({_S.PENDING, _S.STAGING_IN, _S.STAGED_IN, _S.SUBMITTED, _S.STAGING_OUT})
#: The kind of that event.
RESTARTED = "restarted"


def may_follow(old: ActivityState, new: ActivityState) -> bool:
    """Whether an activity may go from `old` to `new`."""
    return new in TRANSITIONS[old]


def may_restart(old: ActivityState, new: ActivityState) -> bool:
    """Whether an activity that is restarted may go from `old` to `new`."""
    return old is _S.FAILED and new in RESTARTS
