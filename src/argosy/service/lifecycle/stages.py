"""The stages of an activity, from its share to its end: the part of the lifecycle about that. Pure."""

from __future__ import annotations

from argosy.model import ActivityState

from .decision import Decision, Needs
from .happenings import Matched
from .instructions import Instruction

_S = ActivityState

#: What moves the files of a stage.
STAGING_INSTRUCTIONS = {
    _S.STAGING_IN: Instruction.CHECK_INPUT,
    _S.STAGING_OUT: Instruction.CHECK_OUTPUT,
}


def begin(decision: Decision, needs: Needs, now: float) -> None:
    """Its first stage, or the share that it needs before."""
    if decision.activity.resource is None:
        decision.instructions.append(Instruction.MATCH)
    else:
        stage_in(decision, needs, now)


def wait(decision: Decision, reason: str, now: float) -> None:
    """Nothing takes it now: it stays pending, and says why and since when."""
    activity = decision.activity
    if activity.waiting_since is None or activity.reason != reason:
        since = now if activity.waiting_since is None else activity.waiting_since
        decision.activity = activity.but(reason=reason, waiting_since=since)
        decision.note("waiting", now, reason)


def matched(decision: Decision, found: Matched, now: float) -> None:
    """A share takes it: what was found for it is recorded."""
    activity = decision.activity
    waited = activity.waiting_since
    decision.activity = activity.but(
        resource=found.resource,
        queue=found.queue,
        environments=found.environments,
        reason=None,
        waiting_since=None,
    )
    tell(decision, found, now)
    if waited is not None:
        decision.note("matched", now, f"goes to {found.share}", detail={"share": found.share, "since": waited})


def tell(decision: Decision, matched: Matched, now: float) -> None:
    """Tell which environments were chosen, and which are left out."""
    if matched.environments or matched.left_out:
        words = [f"runs in {', '.join(matched.environments)}"] if matched.environments else []
        words += [f"without {', '.join(matched.left_out)}, which is not to be had"] if matched.left_out else []
        decision.note("environments", now, "; ".join(words), detail={"environments": list(matched.environments)})


def stage_in(decision: Decision, needs: Needs, now: float) -> None:
    """Its input files first, where it has any."""
    if needs.inputs:
        decision.move(_S.STAGING_IN, now, "waiting for its input files")
        decision.instructions.append(Instruction.CHECK_INPUT)
    else:
        staged(decision, now)


def staged(decision: Decision, now: float) -> None:
    """The intention to submit is recorded here, with the transition: from now on the batch system is asked first."""
    decision.move(_S.STAGED_IN, now)
    intend(decision, now)


def intend(decision: Decision, now: float) -> None:
    """It is to be submitted, for the first time under its tag."""
    decision.activity = decision.activity.but(intended=now)
    decision.note("submit-intended", now)
    decision.instructions.append(Instruction.SUBMIT)


def staged_out(decision: Decision, missing: tuple[str, ...], now: float) -> None:
    """Its end: as it should be, or for want of an output file."""
    if missing:
        names = ", ".join(missing)
        exit_code = decision.activity.exit_code
        decision.move(_S.FAILED, now, f"the job ended with exit code {exit_code} and left no {names}")
    else:
        decision.move(_S.STAGED_OUT, now)
        decision.move(_S.FINISHED, now, _last_reason(decision))


def _last_reason(decision: Decision) -> str | None:
    signal = decision.activity.signal
    return f"ended by signal {signal}" if signal is not None else None
