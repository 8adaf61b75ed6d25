"""Attaching to jobs of a batch system: to what there is, to what there is not, and to what cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from argosy import InvalidJobException, Job, JobExecutor, JobSpec, JobState
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.reconcile import Policy
from tests.executors.fake_slurm import FakeSlurm

LONG = timedelta(seconds=60)
S = JobState


def slurm_executor(tmp_path: Path) -> JobExecutor:
    config = BatchConfig(poll=1.0, policy=Policy(unknown_after=0.5))
    return JobExecutor.get_instance("slurm", config=BatchExecutorConfig(work_directory=tmp_path / "work", batch=config))


@pytest.mark.parametrize(
    "odd", ["abc", "-1", "1 2", "1,2", "٣", "1_", "1_[0-3]", "9" * 30, "4294967295", "4294967303", "1_" + "9" * 30]
)
def test_what_is_no_id_is_refused_and_the_job_stays_new(tmp_path: Path, odd: str) -> None:
    executor, job = slurm_executor(tmp_path), Job()
    with pytest.raises(InvalidJobException) as caught:
        executor.attach(job, odd)
    assert caught.value.element == "native_id"
    assert (job.status.state, job.executor, job.native_id, job.spec) == (S.NEW, None, None, None)


@pytest.mark.parametrize("cancel", [False, True])
def test_what_is_not_known_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancel: bool) -> None:
    monkeypatch.setenv("PATH", FakeSlurm(tmp_path / "bin").path)
    executor, job = slurm_executor(tmp_path), Job()
    executor.attach(job, "4711")
    if cancel:
        job.cancel()
    status = job.wait(LONG)
    assert (status.state, status.exit_code) == (S.FAILED, None)
    assert "neither the queue nor accounting knows a job of this id" in status.message


@pytest.mark.slurm
def test_what_a_real_slurm_does_not_know_has_failed(slurm: None, tmp_path: Path) -> None:
    executor = slurm_executor(tmp_path)
    running = [Job(JobSpec("/bin/sleep", ["300"])) for _ in range(4)]
    executor.submit(running)
    array = running[0].native_id.partition("_")[0]
    try:
        for id in ("999999", array, f"{array}_77"):
            job = Job()
            executor.attach(job, id)
            assert job.wait(LONG).state is S.FAILED
            assert "neither the queue nor accounting knows a job of this id" in job.status.message
        there = Job()
        executor.attach(there, running[1].native_id)
        assert there.wait(LONG, S.QUEUED) is not None
        assert not there.status.final
    finally:
        executor.cancel_many(running)
    assert there.wait(LONG).state is S.CANCELED
