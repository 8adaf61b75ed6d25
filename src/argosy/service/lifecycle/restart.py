"""Restarting what has failed: where an activity goes on, and when that would be a second run of the same job.

The stage that failed is begun again. Where the job itself failed, that is a new submission under a tag of its own, so
that each runs at most once; it is made only where the job before it is known to be over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argosy.model import ActivityState, Outcome
from argosy.model.activity import RESTARTED
from argosy.store import Activity
from argosy.store.records import WITHDRAWN

from .decision import Decision

_S = ActivityState

#: Ends after which a copy of the job might still run, or begin.
_UNCERTAIN = frozenset({Outcome.LOST, Outcome.DUPLICATE})
#: Failed in one of these, it has never been handed to a batch system.
_BEFORE = frozenset({_S.PENDING, _S.HELD})
#: Failed in one of these, its job has ended by itself and is not run again.
_AFTER = frozenset({_S.LRMS_FINISHED, _S.STAGING_OUT, _S.STAGED_OUT})


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """Its owner wants a failed one to go on from the stage that failed. `worker` has it in hand from now on; `over`:
    whoever asks vouches that a job that was lost sight of is over."""

    by: str
    worker: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a failed activity goes on: the state, and what of its record is as new."""

    state: ActivityState
    fields: dict[str, Any]
    submits: bool = False
    """Whether this is a new submission, to be intended and handed over."""


def why_not(activity: Activity, *, over: bool = False) -> str | None:
    """Why it cannot be restarted, in a sentence; None where it can. `over`: the caller vouches that its job is over."""
    if activity.state is not _S.FAILED:
        return f"it is {activity.state}; only a failed activity can be restarted"
    if not over and _job_failed(activity) and activity.outcome in _UNCERTAIN:
        return (
            f"its job {activity.native_id} was lost sight of and might still run, so that a restart could run it twice;"
            " say that it is over where you know that"
        )
    return None


def plan(activity: Activity) -> Plan:
    """Where it goes on. `why_not` has been asked before."""
    failed_in = _failed_in(activity)
    if failed_in in _BEFORE:
        return Plan(_S.PENDING, {})
    if failed_in is _S.STAGING_IN:
        return Plan(_S.STAGING_IN, {})
    if failed_in in _AFTER:
        return Plan(_S.STAGING_OUT, {})
    if activity.native_id is None:
        # Refused, or its answer never came: the same submission, which the batch system is asked for first.
        return Plan(_S.STAGED_IN, {"outcome": None})
    if activity.outcome is None:
        # The job was accepted, and watching it was given up: it may be going on.
        return Plan(_S.SUBMITTED, {})
    again: dict[str, Any] = dict.fromkeys(
        ("native_id", "submitted", "started", "ended", "exit_code", "signal", "usage", "outcome")
    )
    return Plan(_S.STAGED_IN, again | {"hosts": (), "earlier": (*activity.earlier, activity.native_id)}, submits=True)


def use_up_tag(decision: Decision) -> None:
    """Nothing runs under its tag any more: a restart is to have another one."""
    decision.activity = decision.activity.but(earlier=(*decision.activity.earlier, WITHDRAWN))


def restarted(decision: Decision, asked: RestartAsked, now: float) -> Plan | None:
    """Take a failed activity back to where it goes on; None, and nothing changed, where it cannot be restarted."""
    old = decision.activity
    if why_not(old, over=asked.over) is not None:
        return None
    found = plan(old)
    fields: dict[str, Any] = dict.fromkeys(("final_at", "expires", "failed_in", "terminate_by", "wish"))
    fields |= {"worker": asked.worker, "restarts": old.restarts + 1} | found.fields
    detail: dict[str, Any] = {"restart": old.restarts + 1}
    if found.submits:
        detail["after"] = [native_id for native_id in fields["earlier"] if native_id != WITHDRAWN]
    decision.move(found.state, now, kind=RESTARTED, by=asked.by, detail=detail, **fields)
    return found


def _job_failed(activity: Activity) -> bool:
    failed_in = _failed_in(activity)
    return activity.native_id is not None and failed_in not in _BEFORE | _AFTER | {_S.STAGING_IN}


def _failed_in(activity: Activity) -> ActivityState:
    if activity.failed_in is not None:
        return activity.failed_in
    # It failed under an earlier version, which did not record where.
    if activity.intended is None:
        return _S.STAGING_IN
    return _S.STAGING_OUT if activity.exit_code is not None else _S.LRMS_RUNNING
