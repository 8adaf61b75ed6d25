"""What can be told of an activity beyond its record: where its time went, and what projections depend on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from argosy.model import ActivityState
from argosy.model.projections import Facts
from argosy.store import Activity, Event

_S = ActivityState


class Verbosity(StrEnum):
    """How much is told of an activity (GES 3.2.1)."""

    BASIC = "basic"
    """Its state."""
    DETAILED = "detailed"
    """Its record: times, exit code, usage, hosts, reason."""
    FULL = "full"
    """Its history, what was asked for, and where its time went, too."""


class Phase(StrEnum):
    """What an activity's time is spent on."""

    HELD = "held"
    PENDING = "pending"
    STAGED_IN = "staged_in"
    WAITED = "waited"
    RAN = "ran"
    SUSPENDED = "suspended"
    STAGED_OUT = "staged_out"
    ENDED = "ended"


#: The phase that each state is a part of; final states are of none.
PHASES: dict[ActivityState, Phase | None] = {
    _S.PENDING: Phase.PENDING,
    _S.HELD: Phase.HELD,
    _S.STAGING_IN: Phase.STAGED_IN,
    _S.STAGED_IN: Phase.STAGED_IN,
    _S.SUBMITTED: Phase.WAITED,
    _S.QUEUED: Phase.WAITED,
    _S.LRMS_HOLD: Phase.WAITED,
    _S.LRMS_OTHER: Phase.WAITED,
    _S.LRMS_RUNNING: Phase.RAN,
    _S.SUSPENDED: Phase.SUSPENDED,
    _S.LRMS_FINISHED: Phase.STAGED_OUT,
    _S.FORWARDED: Phase.WAITED,
    _S.STAGING_OUT: Phase.STAGED_OUT,
    _S.STAGED_OUT: Phase.STAGED_OUT,
    _S.TERMINATING: Phase.ENDED,
    _S.FINISHED: None,
    _S.FAILED: None,
    _S.TERMINATED: None,
}


def spent(events: Sequence[Event], now: float) -> dict[Phase, float]:
    """Seconds in each phase that there was, from an activity's events; the last one goes on until `now`."""
    phases: dict[Phase, float] = {}
    for at, event in enumerate(events):
        phase = PHASES[event.state]
        if phase is not None:
            until = events[at + 1].time if at + 1 < len(events) else max(now, event.time)
            phases[phase] = phases.get(phase, 0.0) + until - event.time
    return {phase: seconds for phase, seconds in phases.items() if seconds > 0}


def facts(activity: Activity) -> Facts:
    """What a projection of an activity's state may depend on."""
    return Facts(
        activity.state,
        activity.exit_code,
        submitted=activity.native_id is not None,
        started=activity.started is not None,
        ended=activity.ended is not None,
    )
