"""DRMAA2's job states (GFD.231, section 8.1, with the transitions of its figure); the attribute is its jobSubState.

It has no state for a job that was cancelled: that is FAILED, and the sub-state tells.
"""

from __future__ import annotations

from argosy.model.activity import ActivityState

from .contract import Case, InformationModel, Projected, Table

_S = ActivityState


def _row(name: str, state: ActivityState) -> Projected:
    return Projected(name, (state.value,))


_TABLE: Table = {
    **{
        state: _row("QUEUED", state)
        for state in (_S.PENDING, _S.STAGING_IN, _S.STAGED_IN, _S.SUBMITTED, _S.QUEUED, _S.FORWARDED, _S.TERMINATING)
    },
    **{(state, Case.STARTED): _row("REQUEUED", state) for state in (_S.SUBMITTED, _S.QUEUED)},
    _S.HELD: _row("QUEUED_HELD", _S.HELD),
    _S.LRMS_HOLD: _row("QUEUED_HELD", _S.LRMS_HOLD),
    (_S.LRMS_HOLD, Case.STARTED): _row("REQUEUED_HELD", _S.LRMS_HOLD),
    **{state: _row("RUNNING", state) for state in (_S.LRMS_RUNNING, _S.LRMS_FINISHED, _S.STAGING_OUT, _S.STAGED_OUT)},
    (_S.TERMINATING, Case.STARTED): _row("RUNNING", _S.TERMINATING),
    _S.SUSPENDED: _row("SUSPENDED", _S.SUSPENDED),
    _S.LRMS_OTHER: _row("UNDETERMINED", _S.LRMS_OTHER),
    _S.FINISHED: _row("DONE", _S.FINISHED),
    (_S.FINISHED, Case.UNSUCCESSFUL): _row("FAILED", _S.FINISHED),
    _S.FAILED: _row("FAILED", _S.FAILED),
    _S.TERMINATED: _row("FAILED", _S.TERMINATED),
}

_ENDS = frozenset({"DONE", "FAILED"})
_LIVE = frozenset({"QUEUED", "QUEUED_HELD", "RUNNING", "SUSPENDED", "REQUEUED", "REQUEUED_HELD"})
_ALWAYS = frozenset({"FAILED", "UNDETERMINED"})

DRMAA2 = InformationModel(
    "drmaa2",
    "DRMAA2 (GFD.231)",
    _TABLE,
    {
        "UNDETERMINED": _LIVE | _ENDS,
        "QUEUED": frozenset({"QUEUED_HELD", "RUNNING"}) | _ALWAYS,
        "QUEUED_HELD": frozenset({"QUEUED"}) | _ALWAYS,
        "RUNNING": frozenset({"SUSPENDED", "REQUEUED", "REQUEUED_HELD", "DONE"}) | _ALWAYS,
        "SUSPENDED": frozenset({"RUNNING", "REQUEUED", "REQUEUED_HELD", "DONE"}) | _ALWAYS,
        "REQUEUED": frozenset({"REQUEUED_HELD", "RUNNING"}) | _ALWAYS,
        "REQUEUED_HELD": frozenset({"REQUEUED"}) | _ALWAYS,
        "DONE": frozenset(),
        "FAILED": frozenset(),
    },
)
