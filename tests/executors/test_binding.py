"""A Job belongs to one executor and is submitted once, whichever threads ask and whoever is interrupted."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from argosy import InvalidJobException, InvalidStateException, Job, JobExecutor, JobSpec, JobState
from argosy.executors.batch import executor as batch
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.gathering import GatheringConfig
from argosy.executors.loop import background_loop
from tests.executors.fake_slurm import FakeSlurm
from tests.waiting import until

LONG = timedelta(seconds=60)
S = JobState
Make = Callable[..., JobExecutor]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", fake.path)
    return fake


@pytest.fixture
def make(fake: FakeSlurm, tmp_path: Path) -> Make:
    def make(gathering: bool = True) -> JobExecutor:
        batch = BatchConfig(gathering=GatheringConfig(enabled=gathering, alike=600), command_timeout=20.0)
        config = BatchExecutorConfig(work_directory=tmp_path / "work", batch=batch)
        return JobExecutor.get_instance("slurm", config=config)

    return make


def test_one_job_from_many_threads_is_submitted_once(make: Make, fake: FakeSlurm) -> None:
    executor = make()
    executor.submit(Job(JobSpec("/bin/true")))
    job, start, refused = Job(JobSpec("/bin/true")), threading.Barrier(8), []

    def submit() -> None:
        start.wait()
        try:
            executor.submit(job)
        except InvalidStateException as error:
            refused.append(error)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert job.wait(LONG).state is S.COMPLETED
    assert len(fake.calls("sbatch")) == 2


@pytest.mark.parametrize("gathering", [True, False])
def test_a_thread_that_was_overtaken_does_not_submit_it_again(
    make: Make, fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch, gathering: bool
) -> None:
    executor, job = make(gathering), Job(JobSpec("/bin/true"))
    check = executor.check

    def overtaken(one: Job) -> None:
        check(one)
        monkeypatch.setattr(executor, "check", check)
        executor.submit(one)
        assert one.wait(LONG).state is S.COMPLETED

    monkeypatch.setattr(executor, "check", overtaken)
    with pytest.raises(InvalidStateException):
        executor.submit(job)
    assert len(fake.calls("sbatch")) == 1
    assert job.executor is executor


@pytest.mark.parametrize("refused", [False, True])
def test_a_submission_goes_on_whose_caller_was_interrupted(
    make: Make, fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    executor, job = make(gathering=False), Job(JobSpec("/bin/true"))
    lock = os.open(fake.directory / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)  # sbatch waits for it

    def interrupted(work: Coroutine[Any, Any, object]) -> object:
        asyncio.run_coroutine_threadsafe(work, background_loop())
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch, "call", interrupted)
        with pytest.raises(KeyboardInterrupt):
            executor.submit(job)
    with pytest.raises(InvalidStateException):
        executor.submit(job)  # it is on its way
    if refused:
        fake.refuse("sbatch: error: the account is empty")
    os.close(lock)
    if not refused:
        assert job.wait(LONG).state is S.COMPLETED
    else:
        until(lambda: job.executor is None)
        fake.refuse(None)
        executor.submit(job)
        assert job.wait(LONG).state is S.COMPLETED
    assert len(fake.scripts()) == 1


@pytest.mark.parametrize("name", ["slurm", "local", "nested", "argosy"])
def test_what_another_thread_has_just_taken_is_refused(make: Make, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = make() if name == "slurm" else JobExecutor.get_instance(name)
    first, job = JobExecutor.get_instance("local"), Job()

    def taken(job: Job) -> None:
        job.executor = first  # after it was looked at, before it is bound

    monkeypatch.setattr(executor, "check_attach", taken)
    with pytest.raises(InvalidJobException, match="executor"):
        executor.attach(job, "1")
    assert (job.executor, job.status.state, job.native_id, job.spec) == (first, S.NEW, None, None)
