"""What ended jobs leave in the spool, and for how long."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobExecutor, JobSpec, JobState, SubmitException
from argosy.executors.batch import leftovers
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.gathering import GatheringConfig
from argosy.model import Unavailable
from tests.executors.fake_slurm import FakeSlurm

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", fake.path)
    monkeypatch.setattr(leftovers, "_TOGETHER", 0.05)
    return fake


def executor_that_keeps(seconds: float, tmp_path: Path) -> JobExecutor:
    config = BatchConfig(keep=seconds, gathering=GatheringConfig(enabled=False))
    return JobExecutor.get_instance("slurm", config=BatchExecutorConfig(work_directory=tmp_path / "work", batch=config))


def names(tmp_path: Path) -> dict[str, set[str]]:
    """What is in each directory of the only spool."""
    (spool,) = (tmp_path / "work" / "slurm").iterdir()
    return {directory.name: {path.name for path in directory.iterdir()} for directory in spool.iterdir()}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def test_nothing_is_left_of_jobs_that_ended_long_ago(fake: FakeSlurm, tmp_path: Path) -> None:
    executor = executor_that_keeps(0.2, tmp_path)
    single, several = Job(JobSpec("/bin/true")), [Job(JobSpec("/bin/true")) for _ in range(5)]
    unstarted = Job(JobSpec("/bin/true", directory="/no/such/directory"))
    executor.submit(single)
    executor.submit([*several, unstarted])
    assert [job.wait(LONG).state for job in (single, *several, unstarted)] == [S.COMPLETED] * 6 + [S.FAILED]
    until(lambda: not any(names(tmp_path).values()))


def test_claims_are_kept_and_what_may_explain_a_failure(fake: FakeSlurm, tmp_path: Path) -> None:
    executor = executor_that_keeps(600, tmp_path)
    jobs = [Job(JobSpec("/bin/true", directory=directory)) for directory in ("/", "/no/such/directory")]
    for job in jobs:
        executor.submit(job)
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED, S.FAILED]
    until(lambda: names(tmp_path)["out"] == {f"{jobs[1].native_id}.nodes"})
    assert names(tmp_path)["claims"] == {job.id for job in jobs}


def test_the_claim_stays_where_there_may_be_two_submissions(fake: FakeSlurm, tmp_path: Path) -> None:
    executor = executor_that_keeps(0.2, tmp_path)
    job, other = Job(JobSpec("/bin/true")), Job(JobSpec("/bin/true"))
    fake.refuse("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
    with pytest.raises(SubmitException) as caught:
        executor.submit(job)
    assert caught.value.transient
    fake.refuse(None)
    executor.submit(job)
    executor.submit(other)
    assert [one.wait(LONG).state for one in (job, other)] == [S.COMPLETED] * 2
    until(lambda: other.id not in names(tmp_path)["claims"])
    assert names(tmp_path)["claims"] == {job.id}


def once(error: Exception, work: Callable[[object], Awaitable[None]]) -> Callable[[object], Awaitable[None]]:
    failures = iter([error])

    async def changed(handles: object) -> None:
        for failure in failures:
            raise failure
        await work(handles)

    return changed


@pytest.mark.parametrize("error", [Unavailable("the disk is away"), RuntimeError("the disk is away")])
def test_what_cannot_be_removed_is_tried_again(
    error: Exception, fake: FakeSlurm, tmp_path: Path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(leftovers, "_AGAIN", 0.05)
    executor = executor_that_keeps(0.2, tmp_path)
    jobs = [Job(JobSpec("/bin/true")) for _ in range(2)]
    executor.submit(jobs[0])
    driver = executor._driver
    for name in ("forget_outputs", "forget"):
        monkeypatch.setattr(driver, name, once(error, getattr(driver, name)))
    executor.submit(jobs[1])
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 2
    until(lambda: not any(names(tmp_path).values()))
    assert "the disk is away" in caplog.text
