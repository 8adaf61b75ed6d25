"""The job states of ARC's REST interface (NorduGrid, "ARC CE REST interface", version 1.0)."""

from __future__ import annotations

from argosy.model.activity import ActivityState

from .contract import Case, InformationModel, Projected, Table

_S = ActivityState

_TABLE: Table = {
    _S.PENDING: Projected("ACCEPTING"),
    _S.HELD: Projected("ACCEPTED"),
    _S.STAGING_IN: Projected("PREPARING"),
    _S.STAGED_IN: Projected("PREPARED"),
    _S.SUBMITTED: Projected("SUBMITTING"),
    _S.QUEUED: Projected("QUEUING"),
    _S.LRMS_HOLD: Projected("HELD"),
    _S.LRMS_RUNNING: Projected("RUNNING"),
    _S.SUSPENDED: Projected("HELD"),
    _S.LRMS_OTHER: Projected("OTHER"),
    _S.LRMS_FINISHED: Projected("EXECUTED"),
    _S.FORWARDED: Projected("QUEUING"),
    _S.STAGING_OUT: Projected("FINISHING"),
    _S.STAGED_OUT: Projected("FINISHING"),
    _S.TERMINATING: Projected("KILLING"),
    _S.FINISHED: Projected("FINISHED"),
    # An exit code other than 0 is a failed job there.
    (_S.FINISHED, Case.UNSUCCESSFUL): Projected("FAILED"),
    _S.FAILED: Projected("FAILED"),
    _S.TERMINATED: Projected("KILLED"),
}

ARC_REST = InformationModel("arc-rest", "ARC CE REST interface 1.0", _TABLE)
