"""GLUE 2's ComputingActivityState_t (GFD.147, appendix B.6): BES's states as GLUE spells them, and NorduGrid's.

NorduGrid's say more: they are given as attributes, and stand beside the other in a ComputingActivity's State.
"""

from __future__ import annotations

from argosy.model.activity import ActivityState

from .contract import Case, InformationModel, Projected, Table

_S = ActivityState


def _row(bes: str, nordugrid: str) -> Projected:
    return Projected(f"bes:{bes}", (f"nordugrid:{nordugrid}",))


_TABLE: Table = {
    _S.PENDING: _row("pending", "accepted"),
    _S.HELD: _row("pending", "pending:accepted"),
    _S.STAGING_IN: _row("running", "preparing"),
    _S.STAGED_IN: _row("running", "prepared"),
    _S.SUBMITTED: _row("running", "submitting"),
    _S.QUEUED: _row("running", "inlrms:q"),
    _S.LRMS_HOLD: _row("running", "inlrms:h"),
    _S.LRMS_RUNNING: _row("running", "inlrms:r"),
    _S.SUSPENDED: _row("running", "inlrms:s"),
    _S.LRMS_OTHER: _row("running", "inlrms:o"),
    _S.LRMS_FINISHED: _row("running", "inlrms:executed"),
    _S.FORWARDED: _row("running", "inlrms:q"),
    _S.STAGING_OUT: _row("running", "finishing"),
    _S.STAGED_OUT: _row("running", "finishing"),
    _S.TERMINATING: _row("running", "canceling"),
    _S.FINISHED: _row("finished", "finished"),
    (_S.FINISHED, Case.UNSUCCESSFUL): _row("finished", "failed"),
    _S.FAILED: _row("failed", "failed"),
    _S.TERMINATED: _row("terminated", "killed"),
}

_NONE: frozenset[str] = frozenset()

GLUE2 = InformationModel(
    "glue2",
    "GLUE 2 (GFD.147), ComputingActivityState_t",
    _TABLE,
    {
        "bes:pending": frozenset({"bes:running", "bes:terminated", "bes:failed"}),
        "bes:running": frozenset({"bes:finished", "bes:terminated", "bes:failed"}),
        "bes:finished": _NONE,
        "bes:terminated": _NONE,
        "bes:failed": _NONE,
    },
)
