"""BES's states (GFD.108, section 4.2), with the sub-states of the HPC File Staging Profile (GFD.135).

Where a job is that waits in a batch system's queue is not said there; here it is Running, as its files may have been
moved for it already, and the sub-state says Queued.
"""

from __future__ import annotations

from argosy.model.activity import ActivityState

from .contract import InformationModel, Projected, Table

_S = ActivityState

_TABLE: Table = {
    _S.PENDING: Projected("Pending"),
    _S.HELD: Projected("Pending"),
    _S.STAGING_IN: Projected("Running", ("Staging-In",)),
    _S.STAGED_IN: Projected("Running", ("Ready",)),
    _S.SUBMITTED: Projected("Running", ("Starting",)),
    _S.QUEUED: Projected("Running", ("Queued",)),
    _S.LRMS_HOLD: Projected("Running", ("Queued",)),
    _S.LRMS_RUNNING: Projected("Running", ("Executing",)),
    _S.SUSPENDED: Projected("Running", ("Executing",)),
    _S.LRMS_OTHER: Projected("Running"),
    _S.LRMS_FINISHED: Projected("Running"),
    _S.FORWARDED: Projected("Running", ("Queued",)),
    _S.STAGING_OUT: Projected("Running", ("Staging-Out",)),
    _S.STAGED_OUT: Projected("Running", ("Staging-Out",)),
    _S.TERMINATING: Projected("Running"),
    _S.FINISHED: Projected("Finished"),
    _S.FAILED: Projected("Failed"),
    _S.TERMINATED: Projected("Cancelled"),
}

_NONE: frozenset[str] = frozenset()

BES = InformationModel(
    "bes",
    "BES (GFD.108) and HPC File Staging Profile (GFD.135)",
    _TABLE,
    {
        "Pending": frozenset({"Running", "Cancelled", "Failed"}),
        "Running": frozenset({"Finished", "Cancelled", "Failed"}),
        "Finished": _NONE,
        "Cancelled": _NONE,
        "Failed": _NONE,
    },
)
