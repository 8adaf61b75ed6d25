"""The status words of the Rimrock interface."""

from __future__ import annotations

from argosy.model.activity import ActivityState

_S = ActivityState

#: Rimrock's words, but for how an activity finished: see `rimrock`.
RIMROCK: dict[ActivityState, str] = {
    _S.PENDING: "QUEUED",
    _S.HELD: "QUEUED",
    _S.STAGING_IN: "QUEUED",
    _S.STAGED_IN: "QUEUED",
    _S.SUBMITTED: "QUEUED",
    _S.QUEUED: "QUEUED",
    _S.LRMS_HOLD: "QUEUED",
    _S.LRMS_RUNNING: "RUNNING",
    _S.SUSPENDED: "RUNNING",
    _S.LRMS_OTHER: "QUEUED",
    _S.LRMS_FINISHED: "RUNNING",
    _S.FORWARDED: "QUEUED",
    _S.STAGING_OUT: "RUNNING",
    _S.STAGED_OUT: "RUNNING",
    _S.TERMINATING: "RUNNING",
    _S.FINISHED: "FINISHED",
    _S.FAILED: "ERROR",
    _S.TERMINATED: "ABORTED",
}


def rimrock(state: ActivityState, exit_code: int | None = None) -> str:
    """The status word of Rimrock. A script that ended with another exit code than 0 is an ERROR there."""
    return "ERROR" if state is _S.FINISHED and exit_code else RIMROCK[state]
