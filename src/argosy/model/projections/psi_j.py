"""PSI/J's job states (PSI/J specification, "JobState")."""

from __future__ import annotations

from argosy.model.activity import ActivityState
from argosy.model.states import JobState

from .contract import Case, InformationModel, Projected, Table

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


def _six(state: JobState) -> str:
    return _WITHOUT_STAGING.get(state, state).name


_TABLE: Table = {
    **{state: Projected(_six(projected)) for state, projected in PSIJ.items()},
    # PSI/J's jobs never go back: one that was requeued stays ACTIVE.
    **{(state, Case.STARTED): Projected("ACTIVE") for state, projected in PSIJ.items() if _six(projected) == "QUEUED"},
    (_S.FINISHED, Case.UNSUCCESSFUL): Projected("FAILED"),
}

#: The six states that every job reports, those of staging left out.
PSI_J = InformationModel(
    "psij",
    "PSI/J specification, JobState",
    _TABLE,
    {
        "NEW": frozenset({"QUEUED", "FAILED", "CANCELED"}),
        "QUEUED": frozenset({"ACTIVE", "FAILED", "CANCELED"}),
        "ACTIVE": frozenset({"COMPLETED", "FAILED", "CANCELED"}),
        "COMPLETED": frozenset(),
        "FAILED": frozenset(),
        "CANCELED": frozenset(),
    },
)
