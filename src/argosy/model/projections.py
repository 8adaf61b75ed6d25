"""The service's states in other vocabularies: tables, and nothing else."""

from __future__ import annotations

from .activity import ActivityState
from .states import JobState

_S = ActivityState

#: PSI/J. A finished activity is COMPLETED or FAILED by its exit code: see `psij`.
PSIJ: dict[ActivityState, JobState] = {
    _S.PENDING: JobState.QUEUED,
    _S.HELD: JobState.QUEUED,
    _S.STAGING_IN: JobState.STAGE_IN,
    _S.STAGED_IN: JobState.STAGE_IN,
    _S.SUBMITTED: JobState.STAGE_IN,
    _S.QUEUED: JobState.STAGE_IN,
    _S.LRMS_HOLD: JobState.STAGE_IN,
    _S.LRMS_RUNNING: JobState.ACTIVE,
    _S.SUSPENDED: JobState.ACTIVE,
    _S.LRMS_OTHER: JobState.STAGE_IN,
    _S.LRMS_FINISHED: JobState.STAGE_OUT,
    _S.FORWARDED: JobState.QUEUED,
    _S.STAGING_OUT: JobState.STAGE_OUT,
    _S.STAGED_OUT: JobState.STAGE_OUT,
    _S.TERMINATING: JobState.CLEANUP,
    _S.FINISHED: JobState.COMPLETED,
    _S.FAILED: JobState.FAILED,
    _S.TERMINATED: JobState.CANCELED,
}

#: PSI/J's six states only: staging counts as waiting before the job runs and as running after it.
_WITHOUT_STAGING: dict[JobState, JobState] = {
    JobState.STAGE_IN: JobState.QUEUED,
    JobState.STAGE_OUT: JobState.ACTIVE,
    JobState.CLEANUP: JobState.ACTIVE,
}


def psij(state: ActivityState, exit_code: int | None = None, *, staging: bool = False) -> JobState:
    """The PSI/J state of an activity. `staging`: report STAGE_IN, STAGE_OUT and CLEANUP as such."""
    if state is _S.FINISHED:
        return JobState.COMPLETED if exit_code == 0 else JobState.FAILED
    projected = PSIJ[state]
    return projected if staging else _WITHOUT_STAGING.get(projected, projected)


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
