"""The life of an activity, as a pure function: what it is and what happened give what it becomes and what to do.

Nothing here does anything: the engine performs the instructions, each of which may be performed again after a crash,
and posts what came of them as the next thing that happened. `resume` gives the instruction that an activity needs
whose worker has died, whatever it was doing.

    pending -> stage-in:staging -> stage-in:staged -> lrms:* -> lrms:finished -> stage-out:staging -> finished
    any of these -> terminating -> terminated, and any of these -> failed
    failed -> the stage that failed, where it is restarted (`restart`)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from argosy.executors.contract import Report
from argosy.languages.native import Description
from argosy.model import ActivityDescription, ActivityState, Outcome, Phase
from argosy.model.actions import Action
from argosy.model.activity import RESTARTED, may_follow, may_restart
from argosy.store import Activity, Event

from . import restart, staging_events, wishes
from .restart import RestartAsked
from .staging_events import (
    STAGING,
    CredentialRenewed,
    CredentialWanted,
    FileMoved,
    Noticed,
    StageHappening,
    StagingFailed,
)
from .wishes import WishAnswered, Wished

_S = ActivityState


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
    """Cancel the job in the batch system, which has it or may have it. Where a submission is under way, its answer
    comes first."""
    CONTROL = "control"
    """Ask the batch system for what was asked of the activity; answer `WishAnswered`."""
    CHECK_OUTPUT = "check-output"
    """See which declared output files are there, and deliver those that have targets; answer `OutputChecked`, or what
    keeps them here."""
    STOP_STAGING = "stop-staging"
    """Stop moving its files; answer `Never` once nothing is moved any more."""


_STAGING_INSTRUCTIONS = {
    _S.STAGING_IN: Instruction.CHECK_INPUT,
    _S.STAGING_OUT: Instruction.CHECK_OUTPUT,
}


# -- what can happen -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begun:
    """It may begin: it was created, or let go."""

    by: str | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A share takes it: `share` is its name for people, `queue` what the batch system is told. `environments` were
    chosen, the optional ones in `left_out` are not to be had."""

    resource: str
    queue: str | None
    share: str
    environments: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Nothing takes it now; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class InputChecked:
    """The declared input files that are not there yet."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The batch system has accepted the job."""

    native_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The batch system refused the job for good, in these words."""

    words: str


@dataclass(frozen=True, slots=True)
class Away:
    """The batch system could not be reached, in these words; it will be tried again."""

    words: str
    doing: str


@dataclass(frozen=True, slots=True)
class Never:
    """The batch system does not have the job and never had it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The batch system, or the job's own record, told something."""

    report: Report


@dataclass(frozen=True, slots=True)
class OutputChecked:
    """The declared output files, not optional, that are not there."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TerminateAsked:
    """Its owner, or somebody who may, wants it ended."""

    by: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """Something that was waited for did not come in time."""

    reason: str


Happening = (
    Begun
    | Matched
    | Unmatched
    | InputChecked
    | Accepted
    | Refused
    | Away
    | Never
    | Reported
    | OutputChecked
    | StageHappening
    | TerminateAsked
    | RestartAsked
    | TooLate
    | Wished
    | WishAnswered
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the description asks of the stages around the job."""

    inputs: bool
    outputs: bool


def needs_of(description: ActivityDescription | Description) -> Needs:
    """What a description asks, as it was written or in the model's terms."""
    files = (*description.inputs, *description.outputs)
    return Needs(
        inputs=bool(description.inputs),
        outputs=any(not file.optional or file.targets for file in description.outputs)
        or any(file.delete_on_termination for file in files),
    )


@dataclass(slots=True)
class Decision:
    """The activity as it is to be, the events that tell of it, and what to do once they are recorded."""

    activity: Activity
    events: list[Event]
    instructions: list[Instruction]

    def move(self, state: ActivityState, now: float, message: str | None = None, **more: Any) -> None:
        """Go to a state, with an event."""
        old = self.activity
        kind = more.pop("kind", "state")
        if state is not old.state and not (may_restart if kind == RESTARTED else may_follow)(old.state, state):
            raise AssertionError(f"{old.id} cannot go from {old.state} to {state}; so far {self.events}")
        by = more.pop("by", None)
        time = max(more.pop("time", now), old.noted)
        detail = more.pop("detail", None)
        if state is _S.FAILED:
            more.setdefault("failed_in", old.state)
        if old.waiting_for is not None:
            more.setdefault("waiting_for", None)
        self.activity = old.but(state=state, changed=now, reason=message, noted=time, **more)
        self.note(kind, time, message, by=by, detail=detail)

    def note(
        self,
        kind: str,
        time: float,
        message: str | None = None,
        *,
        by: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Tell of something."""
        # The clocks of job hosts differ, and reports come late; the history stays in order all the same.
        time = max(time, self.activity.noted)
        if time != self.activity.noted:
            self.activity = self.activity.but(noted=time)
        self.events.append(Event(self.activity.id, time, kind, self.activity.state, message, by, detail))


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
                decision.instructions.append(Instruction(step))
        case WishAnswered():
            wishes.answered(decision, happened, now)
        case TerminateAsked(by):
            _terminate(decision, by, now)
        case TooLate(reason):
            decision.move(_S.FAILED, now, reason)
        case Begun(by):
            if activity.state is _S.HELD:
                decision.move(_S.PENDING, now, by=by)
            if decision.activity.state is _S.PENDING:
                _begin(decision, needs, now)
        case Matched():
            if activity.state is _S.PENDING and activity.resource is None:
                _matched(decision, happened, now)
                _stage_in(decision, needs, now)
        case Unmatched(reason):
            if activity.state is _S.PENDING and activity.resource is None:
                wait(decision, reason, now)
        case InputChecked(missing):
            if activity.state is _S.STAGING_IN and not missing and not wishes.held_here(activity):
                _staged(decision, now)
        case Accepted(native_id):
            _accepted(decision, native_id, now)
        case Refused(words):
            if activity.state is _S.STAGED_IN:
                decision.move(_S.FAILED, now, words)
            elif activity.state is _S.TERMINATING:
                decision.move(_S.TERMINATED, now, words)
        case Away(words, doing):
            if activity.reason != words:
                decision.activity = activity.but(reason=words)
                decision.note("unavailable", now, words, detail={"doing": doing})
        case Never():
            if activity.state is _S.TERMINATING:
                decision.move(_S.TERMINATED, now)
            elif activity.state is _S.STAGED_IN and not wishes.parked(decision, now):
                decision.instructions.append(Instruction.SUBMIT)
        case Reported(report):
            _reported(decision, report, needs, now)
        case OutputChecked(missing):
            if activity.state is _S.STAGING_OUT:
                _staged_out(decision, missing, now)
        case FileMoved() | Noticed() | StagingFailed() | CredentialWanted() | CredentialRenewed():
            if staging_events.happened(decision, happened, now):
                decision.instructions.append(_STAGING_INSTRUCTIONS.get(activity.state, Instruction.RECOVER))
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
        return _STAGING_INSTRUCTIONS[state]
    if state is _S.STAGED_IN:
        return Instruction.RECOVER
    if state.in_lrms:
        return Instruction.WATCH
    if state is _S.TERMINATING:
        return Instruction.CANCEL if _batch_system_has_it(activity) else Instruction.STOP_STAGING
    return None


# -- the stages ----------------------------------------------------------------------------------------


def _begin(decision: Decision, needs: Needs, now: float) -> None:
    if decision.activity.resource is None:
        decision.instructions.append(Instruction.MATCH)
    else:
        _stage_in(decision, needs, now)


def wait(decision: Decision, reason: str, now: float) -> None:
    """Nothing takes it now: it stays pending, and says why and since when."""
    activity = decision.activity
    if activity.waiting_since is None or activity.reason != reason:
        since = now if activity.waiting_since is None else activity.waiting_since
        decision.activity = activity.but(reason=reason, waiting_since=since)
        decision.note("waiting", now, reason)


def _matched(decision: Decision, matched: Matched, now: float) -> None:
    activity = decision.activity
    waited = activity.waiting_since
    decision.activity = activity.but(
        resource=matched.resource,
        queue=matched.queue,
        environments=matched.environments,
        reason=None,
        waiting_since=None,
    )
    tell(decision, matched, now)
    if waited is not None:
        decision.note("matched", now, f"goes to {matched.share}", detail={"share": matched.share, "since": waited})


def tell(decision: Decision, matched: Matched, now: float) -> None:
    """Tell which environments were chosen, and which are left out."""
    if matched.environments or matched.left_out:
        words = [f"runs in {', '.join(matched.environments)}"] if matched.environments else []
        words += [f"without {', '.join(matched.left_out)}, which is not to be had"] if matched.left_out else []
        decision.note("environments", now, "; ".join(words), detail={"environments": list(matched.environments)})


def _stage_in(decision: Decision, needs: Needs, now: float) -> None:
    if needs.inputs:
        decision.move(_S.STAGING_IN, now, "waiting for its input files")
        decision.instructions.append(Instruction.CHECK_INPUT)
    else:
        _staged(decision, now)


def _staged(decision: Decision, now: float) -> None:
    """The intention to submit is recorded here, with the transition: from now on the batch system is asked first."""
    decision.move(_S.STAGED_IN, now)
    _intend(decision, now)


def _intend(decision: Decision, now: float) -> None:
    decision.activity = decision.activity.but(intended=now)
    decision.note("submit-intended", now)
    decision.instructions.append(Instruction.SUBMIT)


def _restart(decision: Decision, asked: RestartAsked, needs: Needs, now: float) -> None:
    plan = restart.restarted(decision, asked, now)
    if plan is None:
        return
    if plan.submits:
        _intend(decision, now)
        return
    step = resume(decision.activity)
    if isinstance(step, Instruction):
        decision.instructions.append(step)
    elif step is not None:
        _begin(decision, needs, now)


def _accepted(decision: Decision, native_id: str, now: float) -> None:
    activity = decision.activity
    if activity.state is _S.STAGED_IN:
        decision.move(_S.SUBMITTED, now, native_id=native_id, submitted=now, detail={"native_id": native_id})
    elif activity.state is _S.TERMINATING:
        if activity.native_id is None:
            decision.activity = activity.but(native_id=native_id, submitted=now)
            decision.note("submitted", now, detail={"native_id": native_id})
        decision.instructions.append(Instruction.CANCEL)


def _terminate(decision: Decision, by: str, now: float) -> None:
    activity = decision.activity
    if activity.state is _S.TERMINATING:
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


_PHASES = {
    Phase.QUEUED: _S.QUEUED,
    Phase.HELD: _S.LRMS_HOLD,
    Phase.RUNNING: _S.LRMS_RUNNING,
    Phase.SUSPENDED: _S.SUSPENDED,
    Phase.OTHER: _S.LRMS_OTHER,
}


def _reported(decision: Decision, report: Report, needs: Needs, now: float) -> None:
    if report.tag != decision.activity.tag:
        return  # of a job before the last restart, which is over
    if decision.activity.state is _S.STAGED_IN:
        # It began before the answer to its submission was read.
        _accepted(decision, report.native_id, now)
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
            _staged_out(decision, (), now)
    else:
        decision.move(_S.FAILED, now, report.message, detail=detail, **known)


def _end_detail(report: Report) -> dict[str, Any]:
    detail: dict[str, Any] = {"outcome": str(report.outcome)}
    if report.exit_code is not None:
        detail["exit_code"] = report.exit_code
    if report.signal is not None:
        detail["signal"] = report.signal
    return detail


def _staged_out(decision: Decision, missing: tuple[str, ...], now: float) -> None:
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
