"""EMI-ES's states and attributes (GFD-I.210, "PGI EMI-ES", activity state model).

A held or suspended activity is told by an attribute there, and so is how a terminal one came to its end.
"""

from __future__ import annotations

from argosy.model.activity import ActivityState

from .contract import Case, InformationModel, Projected, Table

_S = ActivityState

_TABLE: Table = {
    _S.PENDING: Projected("accepted"),
    _S.HELD: Projected("accepted", ("client-paused", "client-stagein-possible")),
    _S.STAGING_IN: Projected("preprocessing", ("client-stagein-possible",)),
    _S.STAGED_IN: Projected("preprocessing"),
    _S.SUBMITTED: Projected("processing-accepting"),
    _S.QUEUED: Projected("processing-queued"),
    _S.LRMS_HOLD: Projected("processing-queued", ("server-paused",)),
    _S.LRMS_RUNNING: Projected("processing-running", ("app-running",)),
    _S.SUSPENDED: Projected("processing-running", ("batch-suspend",)),
    _S.LRMS_OTHER: Projected("processing"),
    _S.LRMS_FINISHED: Projected("processing"),
    _S.FORWARDED: Projected("processing-queued"),
    _S.STAGING_OUT: Projected("postprocessing", ("server-stageout", "client-stageout-possible")),
    _S.STAGED_OUT: Projected("postprocessing", ("client-stageout-possible",)),
    _S.TERMINATING: Projected("processing", ("processing-cancel",)),
    (_S.TERMINATING, Case.ENDED): Projected("postprocessing", ("postprocessing-cancel",)),
    (_S.TERMINATING, Case.NEVER_SUBMITTED): Projected("preprocessing", ("preprocessing-cancel",)),
    _S.FINISHED: Projected("terminal", ("client-stageout-possible",)),
    (_S.FINISHED, Case.UNSUCCESSFUL): Projected("terminal", ("client-stageout-possible", "app-failure")),
    _S.FAILED: Projected("terminal", ("postprocessing-failure",)),
    (_S.FAILED, Case.UNSUCCESSFUL): Projected("terminal", ("processing-failure",)),
    (_S.FAILED, Case.NEVER_SUBMITTED): Projected("terminal", ("preprocessing-failure",)),
    _S.TERMINATED: Projected("terminal", ("processing-cancel",)),
    (_S.TERMINATED, Case.NEVER_SUBMITTED): Projected("terminal", ("preprocessing-cancel",)),
}

# Forward only; within processing a batch system may requeue.
_PROCESSING = frozenset({"processing", "processing-accepting", "processing-queued", "processing-running"})
_AFTER = frozenset({"postprocessing", "terminal"})

EMI_ES = InformationModel(
    "emi-es",
    "EMI-ES (GFD-I.210)",
    _TABLE,
    {
        "accepted": frozenset({"preprocessing"}) | _PROCESSING | _AFTER,
        "preprocessing": _PROCESSING | _AFTER,
        **{state: (_PROCESSING | _AFTER) - {state} for state in _PROCESSING},
        "postprocessing": frozenset({"terminal"}),
        "terminal": frozenset(),
    },
)
