"""The life of an activity, as a pure function: what it is and what happened give what it becomes and what to do.

Nothing here does anything: the engine performs the instructions, each of which may be performed again after a crash,
and posts what came of them as the next thing that happened. `resume` gives the instruction that an activity needs
whose worker has died, whatever it was doing.

    pending -> stage-in:staging -> stage-in:staged -> lrms:* -> lrms:finished -> stage-out:staging -> finished
    any of these -> terminating -> terminated, and any of these -> failed
    failed -> the stage that failed, where it is restarted (`restart`)
"""

from __future__ import annotations

from argosy.model import ActivityState
from argosy.model.actions import Action
from argosy.store import Activity

from . import reports, restart, staging_events, wishes
from .decision import Decision, Needs
from .happenings import (
    Accepted,
    Away,
    Begun,
    Happening,
    InputChecked,
    Matched,
    Never,
    OutputChecked,
    Refused,
    Reported,
    TerminateAsked,
    TooLate,
    Unmatched,
)
from .instructions import Instruction
from .restart import RestartAsked
from .stages import STAGING_INSTRUCTIONS, begin, intend, matched, stage_in, staged, staged_out, wait
from .staging_events import (
    STAGING,
    CredentialRenewed,
    CredentialWanted,
    FileMoved,
    Noticed,
    StagingFailed,
)
from .wishes import WishAnswered, Wished

_S = ActivityState


def decide(activity: Activity, happened: Happening, needs: Needs, now: float, retention: float) -> Decision:
    """What follows from what happened. What comes late, twice, or no longer matters changes nothing."""
    decision = Decision(activity, [], [])
    if activity.state.final:
        if isinstance(happened, RestartAsked):
            _restart(decision, happened, needs, now)
        return decision
    if isinstance(happened, Wished) and happened.action is Action.RELEASE and activity.state is _S.HELD:
        happened = Begun(happened.by)
    match happened:
        case Wished():
            step = wishes.wished(decision, happened, now)
            if step is not None:
                decision.instructions.append(step)
        case WishAnswered():
            wishes.answered(decision, happened, now)
        case TerminateAsked(by):
            _terminate(decision, by, now)
        case TooLate(reason, withdrawn):
            if withdrawn and activity.state is _S.TERMINATING:
                decision.move(_S.TERMINATED, now)
            else:
                if withdrawn:
                    restart.use_up_tag(decision)
                decision.move(_S.FAILED, now, reason)
        case Begun(by):
            if activity.state is _S.HELD:
                decision.move(_S.PENDING, now, by=by)
            if decision.activity.state is _S.PENDING:
                begin(decision, needs, now)
        case Matched():
            if activity.state is _S.PENDING and activity.resource is None:
                matched(decision, happened, now)
                stage_in(decision, needs, now)
        case Unmatched(reason):
            if activity.state is _S.PENDING and activity.resource is None:
                wait(decision, reason, now)
        case InputChecked(missing):
            if activity.state is _S.STAGING_IN and not missing and not wishes.held_here(activity):
                staged(decision, now)
        case Accepted(native_id):
            reports.accepted(decision, native_id, now)
        case Refused(words):
            if activity.state is _S.STAGED_IN:
                decision.move(_S.FAILED, now, words)
            elif activity.state is _S.TERMINATING:
                decision.move(_S.TERMINATED, now, words)
        case Away(words, doing):
            if activity.reason != words:
                decision.activity = activity.but(reason=words)
                decision.note("unavailable", now, words, detail={"doing": doing})
        case Never(withdrawn):
            if activity.state is _S.TERMINATING and _batch_system_has_it(activity) and not withdrawn:
                # It may be on its way to the batch system all the same: the look-up came too soon for it.
                decision.instructions.append(Instruction.CANCEL)
            elif activity.state is _S.TERMINATING:
                decision.move(_S.TERMINATED, now)
            elif activity.state is _S.STAGED_IN and not wishes.parked(decision, now):
                decision.instructions.append(Instruction.SUBMIT)
        case Reported(report):
            reports.reported(decision, report, needs, now)
        case OutputChecked(missing):
            if activity.state is _S.STAGING_OUT:
                staged_out(decision, missing, now)
        case FileMoved() | Noticed() | StagingFailed() | CredentialWanted() | CredentialRenewed():
            if staging_events.happened(decision, happened, now):
                decision.instructions.append(STAGING_INSTRUCTIONS.get(activity.state, Instruction.RECOVER))
    if wishes.follow(decision, activity, now):
        decision.instructions.append(Instruction.CONTROL)
    final = decision.activity
    if final.state.final:  # it was not before
        decision.activity = final.but(
            final_at=now, expires=now + retention, worker=None, start_estimate=None, waiting_since=None
        )
    return decision


def resume(activity: Activity) -> Instruction | Begun | None:
    """What an activity needs whose worker has died, or None where it waits for its owner."""
    state = activity.state
    if state is _S.PENDING:
        return Begun()
    if state in STAGING:
        return STAGING_INSTRUCTIONS[state]
    if state is _S.STAGED_IN:
        return Instruction.RECOVER
    if state.in_lrms:
        return Instruction.WATCH
    if state is _S.TERMINATING:
        return Instruction.CANCEL if _batch_system_has_it(activity) else Instruction.STOP_STAGING
    return None


def _restart(decision: Decision, asked: RestartAsked, needs: Needs, now: float) -> None:
    plan = restart.restarted(decision, asked, now)
    if plan is None:
        return
    if plan.submits:
        intend(decision, now)
        return
    step = resume(decision.activity)
    if isinstance(step, Instruction):
        decision.instructions.append(step)
    elif step is not None:
        begin(decision, needs, now)


def _terminate(decision: Decision, by: str, now: float) -> None:
    activity = decision.activity
    if activity.state is _S.TERMINATING:
        if activity.reason is not None and _batch_system_has_it(activity):
            # It meets with trouble: whoever asks again has it tried at once.
            decision.activity = activity.but(reason=None)
            decision.instructions.append(Instruction.CANCEL)
        return
    decision.move(_S.TERMINATING, now, by=by, terminate_by=by)
    if _batch_system_has_it(activity):
        decision.instructions.append(Instruction.CANCEL)
    elif activity.state in STAGING:
        decision.instructions.append(Instruction.STOP_STAGING)
    else:
        decision.move(_S.TERMINATED, now, by=by)


def _batch_system_has_it(activity: Activity) -> bool:
    """Whether it has, or may have, heard of the job and is not done with it."""
    return activity.intended is not None and activity.ended is None
