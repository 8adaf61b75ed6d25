"""What to believe: pure decisions from what the batch system shows and what the job script has written.

Three sources speak of a job, and each is wrong at times. The job script's record is exact but silent when the job was
killed; the queue forgets jobs some time after their end; accounting lags behind both. Absence is never an end: a job
that no source knows is unknown, until `Policy.lost_after` seconds have passed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from argosy.batch.records import NOT_RUN, WITHDRAWN, Record, RecordKind
from argosy.executors.contract import Handle, Report
from argosy.model import JobState, Observation, Outcome, Phase

#: Exit statuses from here on are those of a shell whose child was ended by a signal: somebody may have sent it.
_SIGNALLED = 128

#: The steps of a job that stages, by the records that tell of them.
STEPS = {
    RecordKind.STAGE_IN: JobState.STAGE_IN,
    RecordKind.START: JobState.ACTIVE,
    RecordKind.STAGE_OUT: JobState.STAGE_OUT,
    RecordKind.CLEANUP: JobState.CLEANUP,
}

_MESSAGES = {
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMEOUT: "killed by the batch system: its wall time was used up",
    Outcome.OUT_OF_MEMORY: "killed: it used more memory than it had asked for",
    Outcome.NODE_FAILURE: "a node that it ran on failed",
    Outcome.PREEMPTED: "preempted by the batch system",
    Outcome.NOT_STARTED: "the batch system could not start it",
    Outcome.LOST: "lost",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to wait for what, in seconds."""

    record_grace: float = 3.0
    """For the job script's record, once the batch system says that the job has ended."""
    word_grace: float = 10.0
    """For the batch system's word on a job whose record says that it was signalled."""
    lost_after: float = 300.0
    """For any source to know a job that none knows."""
    stray_after: float = 604_800.0
    """For somebody to ask about a job of which there is a record."""
    stray_known: float = 3600.0
    """The same, since the record was first seen: whoever was away meanwhile comes first."""
    unknown_after: float = 20.0
    """The same for one that was attached to and that none ever knew. Accounting may be late, Grid Engine's by 15 s."""


@dataclass(slots=True)
class Watched:
    """A job that is watched, and what is known of it so far."""

    handle: Handle
    since: float
    """When it was last seen to change, on the watcher's clock."""
    phase: Phase | None = None
    run: int = 0
    told: tuple[object, ...] = ()
    record: Record | None = None
    """An exit record that the batch system's word is awaited for."""
    record_at: float = 0.0
    ended_at: float | None = None
    """When the batch system was first seen to say that it has ended."""
    unseen_since: float | None = None
    cancel_asked: bool = False
    concluded: bool = False
    begun: bool = False
    """Whether its script has said that it began to run the application."""
    step: JobState | None = None
    """How far this run has come; only of a job that stages does the script say so."""
    hosts: tuple[str, ...] = field(default=())


def explain(outcome: Outcome, words: str | None) -> str:
    """The message for an end that was not the job's own, with the batch system's words."""
    message = _MESSAGES[outcome]
    return f"{message} ({words})" if words else message


def on_start(job: Watched, record: Record, now: float) -> Report | None:
    """The script has begun to run the application, or has come to another step."""
    if record.run < job.run:
        return None
    if record.run > job.run:
        job.step = None
        if job.record is not None and job.record.run < record.run:
            job.record = None  # that run was put back into the queue
    job.begun = True
    step: JobState | None = STEPS[record.kind]
    if job.step is None and record.kind is RecordKind.START:
        step = None  # a plain job: it runs, and there is no more to say
        if job.phase is Phase.RUNNING and record.run <= job.run:
            return None
    elif job.step is not None and step is not None and not step.is_greater_than(job.step):
        return None
    job.phase, job.run, job.since, job.hosts = Phase.RUNNING, record.run, now, record.hosts
    job.told, job.step = (Phase.RUNNING, None), step
    return Report(
        job.handle.tag,
        job.handle.native_id,
        Phase.RUNNING,
        record.time,
        hosts=record.hosts,
        run=record.run,
        state=step,
    )


def on_exit(job: Watched, record: Record, now: float) -> Report | None:
    """The script has written how the application ended. None where the batch system's word must be heard first."""
    if record.run < job.run:
        return None  # of a run that the batch system has put back into the queue since
    job.since = now
    if not record.ran:
        message = record.note or "the job script could not start the application"
        if job.cancel_asked:
            # The signal may have come at any point of the script's work, whatever it could not do then.
            return _end(job, record.time, Outcome.CANCELLED, message=explain(Outcome.CANCELLED, message), record=record)
        return _end(job, record.time, Outcome.NOT_STARTED, message=message, record=record)
    if record.terminated or record.exit_code is None or record.exit_code > _SIGNALLED:
        job.record, job.record_at = record, now
        return None
    return _exited(job, record)


def on_duplicate(job: Watched, record: Record, now: float) -> Report | None:
    """A copy of the script found the run claimed. None where it was another job's copy: it did nothing, all is well."""
    if record.native_id != job.handle.native_id or record.owner is None:
        return None
    if record.owner == WITHDRAWN:
        return _end(job, record.time, Outcome.NOT_STARTED, message="it was withdrawn before it began, and was not run")
    if not record.repeated:
        # What is watched is the copy that did nothing; the one that holds the claim is the job, and has begun. That is
        # told, so that it is known for good before this record is removed.
        job.handle = Handle(job.handle.tag, record.owner, job.handle.rerunnable)
        job.phase, job.since, job.told = Phase.RUNNING, now, (Phase.RUNNING, None)
        return Report(job.handle.tag, record.owner, Phase.RUNNING, record.time, run=record.owner_run or 0)
    return _end(
        job,
        record.time,
        Outcome.NODE_FAILURE,
        message="the batch system started it a second time; as it is not marked rerunnable, it was not run again",
    )


def on_seen(job: Watched, seen: Observation, asked: float, now: float, policy: Policy) -> Report | None:
    """The queue shows the job. `asked` is when the query began: what is older than the last change is stale."""
    job.unseen_since = None
    if seen.phase is Phase.ENDED:
        return _on_ended(job, seen, now, policy)
    job.ended_at = None
    if job.record is not None and _put_back(job.record, job.record_at, seen, asked):
        job.record = None
    if job.record is not None and now - job.record_at > policy.word_grace and seen.phase is not Phase.ENDING:
        return _cancelled(job, job.record) if job.cancel_asked else _exited(job, job.record)
    if asked <= job.since or seen.phase is Phase.ENDING:
        return None
    reason = seen.reason if seen.phase is not Phase.RUNNING else None
    told = (seen.phase, reason)
    if told == job.told:
        return None
    requeued = job.phase in (Phase.RUNNING, Phase.SUSPENDED) and seen.phase in (Phase.QUEUED, Phase.HELD)
    if requeued:
        job.step = None
    changed = seen.phase is not job.phase
    job.phase, job.told, job.since, job.run = seen.phase, told, now, max(job.run, seen.run)
    time = {Phase.RUNNING: seen.started, Phase.QUEUED: seen.submitted}.get(seen.phase) if changed else None
    return Report(
        job.handle.tag,
        job.handle.native_id,
        seen.phase,
        now if time is None or requeued else time,
        message="requeued by the batch system" + (f" ({reason})" if reason else "") if requeued else reason,
        hosts=seen.hosts,
        start_estimate=seen.start_estimate,
        run=seen.run,
    )


def _put_back(record: Record, record_at: float, seen: Observation, asked: float) -> bool:
    """Whether the run that left this record was ended by a requeue: the job waits again, or is in a later run."""
    waits = seen.phase in (Phase.QUEUED, Phase.HELD) and asked > record_at
    return waits or seen.run > record.run


def on_unseen(
    job: Watched, accounted: Observation | None, now: float, policy: Policy, *, answered: bool = True
) -> Report | None:
    """The queue does not show the job (any more); `accounted` is what accounting knows of it, if it has `answered`."""
    if job.unseen_since is None:
        job.unseen_since = now
    if accounted is not None and accounted.phase is Phase.ENDED:
        return _on_ended(job, accounted, now, policy)
    if job.record is not None and now - job.record_at > policy.word_grace:
        # The job is gone and nobody says why it was signalled, so what is known from here must do.
        return _cancelled(job, job.record) if job.cancel_asked else _exited(job, job.record)
    if job.handle.attached and job.phase is None and job.ended_at is None:
        if now - job.unseen_since <= (policy.unknown_after if answered and accounted is None else policy.lost_after):
            return None
        words = "neither the queue nor accounting knows a job of this id (each element of an array has its own)"
        return _end(job, now, Outcome.LOST, message=words)
    # One that was cancelled is expected to be gone, and not every system keeps a record of one that never ran.
    if now - job.unseen_since <= (policy.word_grace if job.cancel_asked else policy.lost_after):
        return None
    if job.cancel_asked:
        return _end(job, now, Outcome.CANCELLED, message="cancelled; the batch system no longer knows it")
    return _end(
        job,
        now,
        Outcome.LOST,
        message=f"neither the queue nor accounting has known it for {policy.lost_after:g} s, and it left no record",
    )


def _on_ended(job: Watched, seen: Observation, now: float, policy: Policy) -> Report | None:
    if job.ended_at is None:
        job.ended_at = now
    outcome = seen.outcome or Outcome.EXITED
    if outcome is Outcome.EXITED:
        if job.record is not None:
            return _exited(job, job.record)
        if now - job.ended_at < policy.record_grace:
            return None
        if max(job.run, seen.run) > 0 and not job.handle.rerunnable and not job.cancel_asked:
            # The script says in each run how it ended, or that it ran nothing. It was not begun: a node refused it,
            # say, and the exit code that is shown is the batch system's own invention.
            words = "the batch system put it back into the queue and ended it there; its application was cut off before"
            return _end(job, seen.ended or now, Outcome.NODE_FAILURE, message=words)
        if seen.exit_code == NOT_RUN and not job.begun:
            # What a script ends with that could not claim its run, and could not even write that down.
            return _end(job, seen.ended or now, Outcome.NOT_STARTED, message=_unwritten(job, seen))
        if seen.exit_code is None and job.cancel_asked:
            return _end(job, seen.ended or now, Outcome.CANCELLED, message=explain(Outcome.CANCELLED, seen.word))
        if seen.exit_code is None and now - job.ended_at < policy.lost_after:
            return None
        if seen.exit_code is None:
            return _end(job, seen.ended or now, Outcome.LOST, message=f"it ended ({seen.word}), how is not known")
        return _end(job, seen.ended or now, Outcome.EXITED, exit_code=seen.exit_code, signal=seen.signal, seen=seen)
    words = seen.word if not seen.reason or seen.reason in seen.word else f"{seen.word}, {seen.reason}"
    return _end(job, seen.ended or now, outcome, message=explain(outcome, words), record=job.record, seen=seen)


def _unwritten(job: Watched, seen: Observation) -> str:
    hosts = ", ".join(seen.hosts or job.hosts) or "the job's host"
    return f"its script could not write into the spool and ran nothing: is the spool full, or not seen by {hosts}?"


def _exited(job: Watched, record: Record) -> Report:
    code = record.exit_code
    if record.failed and code == 0:
        return _end(job, record.time, Outcome.NOT_STAGED_OUT, exit_code=0, record=record)
    signal = code - _SIGNALLED if code is not None and _SIGNALLED < code <= _SIGNALLED + 64 else None
    return _end(job, record.time, Outcome.EXITED, exit_code=code, signal=signal, record=record)


def _cancelled(job: Watched, record: Record) -> Report:
    return _end(job, record.time, Outcome.CANCELLED, message=explain(Outcome.CANCELLED, None), record=record)


def _end(
    job: Watched,
    time: float,
    outcome: Outcome,
    *,
    exit_code: int | None = None,
    signal: int | None = None,
    message: str | None = None,
    record: Record | None = None,
    seen: Observation | None = None,
) -> Report:
    job.phase, job.concluded = Phase.ENDED, True
    if exit_code is None and record is not None and outcome is not Outcome.NOT_STARTED:
        exit_code = record.exit_code
    if message is None and record is not None:
        message = record.note
    if message is None and signal is not None:
        message = f"ended by signal {signal}"
    hosts = (record.hosts if record else ()) or job.hosts or (seen.hosts if seen else ())
    return Report(
        job.handle.tag,
        job.handle.native_id,
        Phase.ENDED,
        time,
        outcome=outcome,
        exit_code=exit_code,
        signal=signal,
        message=message,
        hosts=hosts,
        usage=(record.usage if record else None) or (seen.usage if seen else None),
        run=job.run,
    )
