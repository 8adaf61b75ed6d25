"""What the lifecycle wants done. The engine has it performed; each may be performed again after a crash."""

from __future__ import annotations

from enum import StrEnum


class Instruction(StrEnum):
    """What the engine is to do."""

    MATCH = "match"
    """Find the share that takes it; answer `Matched`, or `Unmatched` and later `Matched`."""
    CHECK_INPUT = "check-input"
    """See which declared input files are there, and fetch those that have sources; answer `InputChecked`, or what keeps
    them away."""
    SUBMIT = "submit"
    """Hand it to the batch system; the intention is recorded, and this is the first try."""
    RECOVER = "recover"
    """Ask the batch system whether it has the job; watch it, or submit it."""
    WATCH = "watch"
    """Follow the job in the batch system."""
    CANCEL = "cancel"
    """Cancel the job in the batch system, which has it or may have it; where it does not, withdraw it, so that no copy
    runs that is still on its way, and answer `Never`. Where a submission is under way, its answer comes first."""
    CONTROL = "control"
    """Ask the batch system for what was asked of the activity; answer `WishAnswered`."""
    CHECK_OUTPUT = "check-output"
    """See which declared output files are there, and deliver those that have targets; answer `OutputChecked`, or what
    keeps them here."""
    STOP_STAGING = "stop-staging"
    """Stop moving its files; answer `Never` once nothing is moved any more."""
