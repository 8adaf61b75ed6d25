"""What was asked of an activity and has to be brought about: the part of the lifecycle about hold, release, suspend
and resume. Pure.

A wish is recorded before anything is done about it. It is done when the batch system shows it, and not before: a
command that went through says only that it was heard. A hold or a suspension stays recorded while it lasts, so that
one which the batch system gives up by itself is seen.

Before it is submitted, the service itself holds an activity: its input goes on arriving, and it is not handed over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from argosy.model import ActivityState
from argosy.model.actions import Action
from argosy.store import Activity, Wish

from .decision import Decision
from .instructions import Instruction

_S = ActivityState
#: Two wishes are never of the same time, so that an answer is known to be about this one.
_TICK = 1e-6


@dataclass(frozen=True, slots=True)
class Wished:
    """Somebody who may asks for hold, release, suspend or resume."""

    action: Action
    by: str


@dataclass(frozen=True, slots=True)
class WishAnswered:
    """What came of asking the batch system for the wish of the time `at`.

    `refused`: it will not be, in these words. `away`: it could not be asked, in these words, and will be again.
    Neither: it was heard.
    """

    at: float
    refused: str | None = None
    away: str | None = None


def pending(activity: Activity) -> Wish | None:
    """The wish that has not come about."""
    return activity.wish if activity.wish is not None and not activity.wish.done else None


def held_here(activity: Activity) -> bool:
    """Whether it must not be handed to the batch system now."""
    wish = activity.wish
    return wish is not None and wish.action is Action.HOLD and activity.state in (_S.STAGING_IN, _S.STAGED_IN)


def asker(activity: Activity, state: ActivityState) -> str | None:
    """Who asked for this state, where somebody did."""
    wish = pending(activity)
    return wish.by if wish is not None and _brought_about(wish.action, activity.state, state) else None


def _brought_about(action: Action, before: ActivityState, state: ActivityState) -> bool:
    match action:
        case Action.HOLD:
            return state is _S.LRMS_HOLD
        case Action.RELEASE:
            return before is _S.LRMS_HOLD and state is not _S.LRMS_HOLD
        case Action.SUSPEND:
            return state is _S.SUSPENDED
        case _:
            return before is _S.SUSPENDED and state is not _S.SUSPENDED


def wished(decision: Decision, asked: Wished, now: float) -> Instruction | None:
    """Record a wish. Answers with what is to be done at once."""
    activity = decision.activity
    state, wish = activity.state, activity.wish
    at = now if wish is None else max(now, wish.at + _TICK)
    new = Wish(asked.action, asked.by, at)
    if state is _S.PENDING and asked.action is Action.HOLD:
        decision.move(_S.HELD, now, "held on request; waiting to be released", by=asked.by)
    elif state in (_S.STAGING_IN, _S.STAGED_IN):
        return _before_submission(decision, new, now)
    elif state.in_lrms and _needed(activity, asked.action):
        _note(decision, new, now)
        return Instruction.CONTROL
    return None


def _before_submission(decision: Decision, new: Wish, now: float) -> Instruction | None:
    activity = decision.activity
    if new.action is Action.HOLD and not held_here(activity):
        # Where a submission is under way, its answer says whether the service holds it or the batch system must.
        done = activity.state is _S.STAGING_IN
        _note(decision, replace(new, done=done), now)
    elif new.action is Action.RELEASE and held_here(activity):
        under_way = activity.state is _S.STAGED_IN and not (activity.wish and activity.wish.done)
        decision.activity = activity.but(wish=None)
        decision.note("asked", now, Action.RELEASE.value, by=new.by, detail={"action": Action.RELEASE.value})
        if not under_way:
            return Instruction.CHECK_INPUT if activity.state is _S.STAGING_IN else Instruction.RECOVER
    return None


def parked(decision: Decision, now: float) -> bool:
    """The batch system does not have it: whether it stays here for being held, which is then so."""
    activity = decision.activity
    if not held_here(activity):
        return False
    wish = activity.wish
    if wish is not None and not wish.done:
        decision.activity = activity.but(wish=replace(wish, done=True))
        decision.note("held", now, "held before it was submitted", by=wish.by)
    return True


def _needed(activity: Activity, action: Action) -> bool:
    """Whether there is something to be done for it in the batch system."""
    wish = pending(activity)
    opposite = {
        Action.HOLD: Action.RELEASE,
        Action.RELEASE: Action.HOLD,
        Action.SUSPEND: Action.RESUME,
        Action.RESUME: Action.SUSPEND,
    }
    if wish is not None:
        return wish.action is opposite[action]
    match action:
        case Action.HOLD:
            return activity.state in (_S.SUBMITTED, _S.QUEUED, _S.LRMS_OTHER)
        case Action.RELEASE:
            return activity.state is _S.LRMS_HOLD
        case Action.SUSPEND:
            return activity.state is _S.LRMS_RUNNING
        case _:
            return activity.state is _S.SUSPENDED


def _note(decision: Decision, wish: Wish, now: float) -> None:
    decision.activity = decision.activity.but(wish=wish)
    decision.note("asked", now, wish.action.value, by=wish.by, detail={"action": wish.action.value})


def answered(decision: Decision, told: WishAnswered, now: float) -> None:
    """The batch system was asked. What is about an older wish changes nothing."""
    activity = decision.activity
    wish = pending(activity)
    if wish is None or wish.at != told.at:
        return
    if told.refused is not None:
        _refuse(decision, wish, told.refused, now)
    elif told.away is not None:
        if wish.words != told.away:
            decision.activity = activity.but(wish=replace(wish, words=told.away))
            decision.note("unavailable", now, told.away, detail={"doing": wish.action.value})
    elif wish.action in (Action.RELEASE, Action.RESUME) and activity.state not in (_S.LRMS_HOLD, _S.SUSPENDED):
        decision.activity = activity.but(wish=None)  # it took back a wish that never showed


def _refuse(decision: Decision, wish: Wish, words: str, now: float) -> None:
    decision.activity = decision.activity.but(wish=None)
    detail = {"action": wish.action.value, "asked": wish.at}
    decision.note("refused", now, words, by=wish.by, detail=detail)


def follow(decision: Decision, before: Activity, now: float) -> bool:
    """What something else that happened means for the wish; whether the batch system is to be asked for it now."""
    activity = decision.activity
    wish, state = activity.wish, activity.state
    if wish is None or state is before.state:
        return False
    if before.state is _S.STAGING_IN and state is _S.STAGED_IN:
        return False
    if state.final or state is _S.TERMINATING:
        decision.activity = activity.but(wish=None)
        return False
    if not state.in_lrms:
        if not wish.done:
            _refuse(decision, wish, "it had ended before that", now)
        decision.activity = decision.activity.but(wish=None)
        return False
    if before.state is _S.STAGED_IN and state not in (_S.LRMS_HOLD, _S.LRMS_RUNNING):
        # The batch system has it now, and is to hold it from here on.
        decision.activity = activity.but(wish=replace(wish, done=False))
        return True
    if wish.done and before.state is not _S.STAGED_IN:
        _lost(decision, wish, now)
    elif _brought_about(wish.action, before.state, state):
        lasting = wish.action in (Action.HOLD, Action.SUSPEND)
        decision.activity = activity.but(wish=replace(wish, done=True, words=None) if lasting else None)
    elif wish.action is Action.HOLD and state in (_S.LRMS_RUNNING, _S.SUSPENDED):
        _refuse(decision, wish, "it had started before that", now)
    return False


def _lost(decision: Decision, wish: Wish, now: float) -> None:
    state = decision.activity.state
    if wish.action is Action.HOLD and state is not _S.LRMS_HOLD:
        decision.activity = decision.activity.but(wish=None)
        decision.note("hold-lost", now, "the batch system no longer holds it, though nobody asked for that here")
    elif wish.action is Action.SUSPEND and state is not _S.SUSPENDED:
        decision.activity = decision.activity.but(wish=None)
        decision.note("suspend-lost", now, "the batch system let it go on, though nobody asked for that here")
