"""What can be asked of an activity: actions, the states that ask for the same, and which state allows which.

Source: GES requirements, sections 3.1.3 and 3.1.4 (changeActivityStatus names a new state; an action is the shorter
word for it).
"""

from __future__ import annotations

from enum import StrEnum

from .activity import IN_LRMS, ActivityState
from .choices import listed
from .errors import InvalidInput


class Action(StrEnum):
    """What its owner, or who operates the service, can ask for."""

    START = "start"
    """Let an activity begin that was created held."""
    HOLD = "hold"
    """Keep it from running: by the service before it is submitted, by the batch system afterwards."""
    RELEASE = "release"
    """Let it go again."""
    SUSPEND = "suspend"
    """Stop the application where it is."""
    RESUME = "resume"
    """Let the application go on."""
    TERMINATE = "terminate"
    """End it."""
    RESTART = "restart"
    """Let a failed one go on from the stage that failed."""


_S = ActivityState
_WAITING = frozenset({_S.SUBMITTED, _S.QUEUED, _S.LRMS_OTHER})
_BEFORE = frozenset({_S.STAGING_IN, _S.STAGED_IN})

#: The states in which each action has something to do. STAGING_IN and STAGED_IN stay what they are while held.
_ALLOWED: dict[Action, frozenset[ActivityState]] = {
    Action.START: frozenset({_S.HELD}),
    Action.HOLD: frozenset({_S.PENDING}) | _BEFORE | _WAITING,
    Action.RELEASE: frozenset({_S.HELD, _S.LRMS_HOLD}),
    Action.SUSPEND: frozenset({_S.LRMS_RUNNING}),
    Action.RESUME: frozenset({_S.SUSPENDED}),
    Action.TERMINATE: frozenset(
        {_S.PENDING, _S.HELD, _S.LRMS_FINISHED, _S.FORWARDED, _S.STAGING_OUT, _S.STAGED_OUT} | _BEFORE | IN_LRMS
    ),
    Action.RESTART: frozenset({_S.FAILED}),
}

#: The states that are what the action is to bring about: asking for it there changes nothing.
_SATISFIED: dict[Action, frozenset[ActivityState]] = {
    Action.START: frozenset(),
    Action.HOLD: frozenset({_S.HELD, _S.LRMS_HOLD}),
    Action.RELEASE: frozenset({_S.PENDING}) | _BEFORE | _WAITING,
    Action.SUSPEND: frozenset({_S.SUSPENDED}),
    Action.RESUME: frozenset({_S.LRMS_RUNNING}),
    Action.RESTART: frozenset(),
    Action.TERMINATE: frozenset({_S.TERMINATING, _S.FINISHED, _S.FAILED, _S.TERMINATED}),
}


def allowed(state: ActivityState, *, held: bool = False) -> list[Action]:
    """What can be asked for in a state; `held`: the service keeps it from being submitted."""
    found = [action for action in Action if state in _ALLOWED[action]]
    if held and state in _BEFORE:
        found[found.index(Action.HOLD)] = Action.RELEASE
    return found


def satisfied(state: ActivityState, action: Action, *, held: bool = False) -> bool:
    """Whether what the action is to bring about is so already."""
    if held and state in _BEFORE:
        return action is Action.HOLD
    return state in _SATISFIED[action]


def action_named(name: str) -> Action:
    """The action of that name. Raises InvalidInput."""
    try:
        return Action(name)
    except ValueError:
        raise InvalidInput(f"{name!r} is no action; there are {listed(Action, name)}", element="action") from None


def action_towards(target: str, state: ActivityState) -> Action:
    """The action that takes an activity in `state` towards the state `target`, or above it. Raises InvalidInput."""
    wanted = target.strip().lower()
    if wanted in (_S.HELD, _S.LRMS_HOLD):
        return Action.HOLD
    if wanted == _S.SUSPENDED:
        return Action.SUSPEND
    if wanted in (_S.TERMINATED, _S.TERMINATING):
        return Action.TERMINATE
    if wanted in (_S.LRMS_RUNNING, "running", "running:lrms") and state in (_S.SUSPENDED, _S.LRMS_RUNNING):
        return Action.RESUME
    if wanted in (_S.PENDING, _S.QUEUED, _S.LRMS_RUNNING, "running", "running:lrms"):
        return Action.RELEASE
    known = (_S.PENDING, _S.HELD, "running", _S.LRMS_HOLD, _S.QUEUED, _S.SUSPENDED, _S.TERMINATED)
    raise InvalidInput(
        f"an activity cannot be asked to go to {target!r}; states to ask for are {listed(known, target)}",
        element="state",
    )
