"""What can be told of jobs now, whoever submitted them (the `info` of PSI/J's open proposal and of Open OnDemand)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from argosy.model import InvalidJobException, JobAttributes, JobSpec, JobState, JobStatus, Observation, Outcome, Phase
from argosy.model.resources import ResourceSpecV1
from argosy.model.user import own_name

from .job import Job

if TYPE_CHECKING:
    from .executor import JobExecutor


@dataclass
class JobInfo:
    """What the batch system says of one job. Times are aware; None where it does not tell. Seconds for the rest."""

    submission_time: datetime | None
    dispatch_time: datetime | None
    wall_time: int
    cpu_time: int | None
    job_owner: str
    allocated_nodes: list[str]
    word: str
    """The batch system's own name of the state."""
    reason: str | None


def information(executor: JobExecutor, jobs: Sequence[Job] | None, owner: str | None) -> list[Job]:
    """See `JobExecutor.info`."""
    user = own_name()
    if owner is not None and owner != user:
        raise ValueError(f"only your own jobs can be asked about, not those of {owner!r}")
    if jobs is None:
        ids = executor.list()
    else:
        ids = [job.native_id for job in jobs if job.native_id is not None]
        if len(ids) != len(jobs):
            raise InvalidJobException("a job without a native id cannot be asked about", element="native_id")
    seen = executor.observe(ids) if ids else {}
    return [_job(executor, seen[native_id], user) for native_id in ids if native_id in seen]


def _job(executor: JobExecutor, seen: Observation, user: str) -> Job:
    job = Job(JobSpec(name=seen.name, resources=ResourceSpecV1(), attributes=JobAttributes(queue_name=seen.queue)))
    job.native_id = seen.native_id
    status = JobStatus(state_of(seen), _time(seen), seen.reason, seen.exit_code, {"native_id": seen.native_id})
    job.status = status
    usage = seen.usage
    wall = usage.wall_seconds if usage is not None and usage.wall_seconds is not None else None
    if wall is None and seen.started is not None:
        wall = (seen.ended if seen.ended is not None else datetime.now(UTC).timestamp()) - seen.started
    job.current_info = JobInfo(  # type: ignore[attr-defined]  # as the proposal has it
        submission_time=_moment(seen.submitted),
        dispatch_time=_moment(seen.started),
        wall_time=int(max(wall or 0, 0)),
        cpu_time=None if usage is None or usage.cpu_seconds is None else int(usage.cpu_seconds),
        job_owner=user,
        allocated_nodes=list(seen.hosts),
        word=seen.word,
        reason=seen.reason,
    )
    return job


def state_of(seen: Observation) -> JobState:
    """PSI/J's state for what was seen."""
    if seen.phase is not Phase.ENDED:
        running = seen.phase in (Phase.RUNNING, Phase.SUSPENDED, Phase.ENDING)
        return JobState.ACTIVE if running else JobState.QUEUED
    if seen.outcome is Outcome.CANCELLED:
        return JobState.CANCELED
    return JobState.COMPLETED if seen.outcome is Outcome.EXITED and not seen.exit_code else JobState.FAILED


def _time(seen: Observation) -> float | None:
    if seen.phase is Phase.ENDED:
        return seen.ended
    return seen.started if seen.phase is Phase.RUNNING else None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
