"""What the batch system, or the job's own record, tells of the job: the part of the lifecycle about that. Pure."""

from __future__ import annotations

from typing import Any

from argosy.executors.contract import Report
from argosy.model import ActivityState, Outcome, Phase

from . import wishes
from .decision import Decision, Needs
from .instructions import Instruction
from .stages import staged_out

_S = ActivityState

_PHASES = {
    Phase.QUEUED: _S.QUEUED,
    Phase.HELD: _S.LRMS_HOLD,
    Phase.RUNNING: _S.LRMS_RUNNING,
    Phase.SUSPENDED: _S.SUSPENDED,
    Phase.OTHER: _S.LRMS_OTHER,
}


def accepted(decision: Decision, native_id: str, now: float) -> None:
    """The batch system has it. What is to be ended is cancelled now that this can be done."""
    activity = decision.activity
    if activity.state is _S.STAGED_IN:
        decision.move(_S.SUBMITTED, now, native_id=native_id, submitted=now, detail={"native_id": native_id})
    elif activity.state is _S.TERMINATING:
        if activity.native_id is None:
            decision.activity = activity.but(native_id=native_id, submitted=now)
            decision.note("submitted", now, detail={"native_id": native_id})
        decision.instructions.append(Instruction.CANCEL)


def reported(decision: Decision, report: Report, needs: Needs, now: float) -> None:
    """What follows from a report; nothing, where it is of an earlier job of the activity."""
    if report.tag != decision.activity.tag:
        return  # of a job before the last restart, which is over
    if decision.activity.state is _S.STAGED_IN:
        # It began before the answer to its submission was read.
        accepted(decision, report.native_id, now)
    activity = decision.activity
    if activity.native_id != report.native_id and (activity.state.in_lrms or activity.state is _S.TERMINATING):
        decision.activity = activity.but(native_id=report.native_id)
        decision.note("native-id", now, detail={"native_id": report.native_id, "was": activity.native_id})
    if report.phase is Phase.ENDED:
        _ended(decision, report, needs, now)
    elif activity.state.in_lrms and (state := _PHASES.get(report.phase)) is not None:
        _in_lrms(decision, report, state, now)


def _in_lrms(decision: Decision, report: Report, state: ActivityState, now: float) -> None:
    activity = decision.activity
    if report.phase is Phase.RUNNING and activity.started is None:
        # Batch systems show whole seconds, and a job can start before the answer to its submission is read.
        started = max(report.time, activity.intended or report.time)
        submitted = min(started, activity.submitted or started)
        decision.activity = activity = activity.but(started=started, submitted=submitted)
    if report.hosts:
        decision.activity = activity = activity.but(hosts=report.hosts)
    if report.start_estimate != activity.start_estimate:
        decision.activity = activity = activity.but(start_estimate=report.start_estimate)
    detail = {"hosts": list(report.hosts)} if report.hosts else None
    if state is not activity.state:
        by = wishes.asker(activity, state)
        decision.move(state, now, report.message, by=by, time=report.time, detail=detail)
    elif report.message != activity.reason:
        decision.activity = activity.but(reason=report.message, changed=now)
        decision.note("reason", now, report.message)


def _ended(decision: Decision, report: Report, needs: Needs, now: float) -> None:
    activity = decision.activity
    if not (activity.state.in_lrms or activity.state is _S.TERMINATING):
        return
    known: dict[str, Any] = {
        "ended": max(report.time, activity.started or report.time),
        "exit_code": report.exit_code,
        "signal": report.signal,
        "outcome": report.outcome,
        "usage": report.usage,
        "hosts": report.hosts or activity.hosts,
    }
    detail = _end_detail(report)
    if activity.state is _S.TERMINATING:
        decision.move(_S.TERMINATED, now, report.message, by=activity.terminate_by, detail=detail, **known)
    elif report.outcome is Outcome.EXITED:
        if activity.state is not _S.LRMS_RUNNING:
            decision.move(_S.LRMS_RUNNING, now, time=activity.started or report.time)
        decision.move(_S.LRMS_FINISHED, now, report.message, time=report.time, detail=detail, **known)
        decision.move(_S.STAGING_OUT, now)
        if needs.outputs:
            decision.instructions.append(Instruction.CHECK_OUTPUT)
        else:
            staged_out(decision, (), now)
    else:
        decision.move(_S.FAILED, now, report.message, detail=detail, **known)


def _end_detail(report: Report) -> dict[str, Any]:
    detail: dict[str, Any] = {"outcome": str(report.outcome)}
    if report.exit_code is not None:
        detail["exit_code"] = report.exit_code
    if report.signal is not None:
        detail["signal"] = report.signal
    return detail
