"""The library over commands that pretend to be those of LSF and Flux: jobs really run, answers are in their forms."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobAttributes, JobExecutor, JobSpec, JobState, ResourceSpecV1, SubmitException
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.reconcile import Policy

from .fakes.jobs import install
from .scripts import wait_until

COMMANDS = {"lsf": ("bsub", "bjobs", "bhist", "bkill"), "flux": ("flux",)}


@pytest.fixture(params=sorted(COMMANDS))
def executor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobExecutor]:
    monkeypatch.setenv("PATH", f"{install(request.param, COMMANDS[request.param], tmp_path)}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_QUEUE", str(tmp_path / "queue"))
    policy = Policy(record_grace=0.5, word_grace=5.0, lost_after=1.0)
    config = BatchExecutorConfig(work_directory=tmp_path / "work", batch=BatchConfig(poll=0.5, policy=policy))
    return JobExecutor.get_instance(request.param, config=config)


def shell(text: str, **more: object) -> Job:
    return Job(JobSpec("/bin/sh", ["-c", text], resources=ResourceSpecV1(), **more))


def end(job: Job) -> tuple[JobState, int | None]:
    status = job.wait(timedelta(seconds=30))
    assert status is not None, job
    return status.state, status.exit_code


@pytest.mark.parametrize(
    ("text", "state", "code"),
    [
        ("exit 0", JobState.COMPLETED, 0),
        ("exit 7", JobState.FAILED, 7),
        ("kill -9 $$", JobState.FAILED, 137),
        ("exit 255", JobState.FAILED, 255),
    ],
)
def test_exit_codes(executor: JobExecutor, text: str, state: JobState, code: int) -> None:
    job = shell(text)
    executor.submit(job)
    assert end(job) == (state, code)


def test_what_was_asked_for_arrives(executor: JobExecutor, tmp_path: Path) -> None:
    value = 'a\'b "c"\n#BSUB -q nosuch\n#argosy-flux: --queue=nosuch\n$HOME'
    job = Job(JobSpec("/usr/bin/printf", ["%s", value], stdout_path=tmp_path / "out", name="a 'b' é"))
    executor.submit(job)
    assert end(job) == (JobState.COMPLETED, 0)
    assert (tmp_path / "out").read_text() == value


def test_many_alike_are_one_array_each_its_own_job(executor: JobExecutor, tmp_path: Path) -> None:
    jobs = [shell(f"echo $ARGOSY_NATIVE_ID > {tmp_path}/{number}; exit {number}") for number in range(5)]
    executor.submit(jobs)
    assert len({job.native_id for job in jobs}) == 5
    for number, job in enumerate(jobs):
        assert end(job) == (JobState.FAILED if number else JobState.COMPLETED, number)
        assert (tmp_path / str(number)).read_text().strip() == job.native_id
    assert len(list((tmp_path / "queue").glob("script.*"))) in (0, 1)


def test_cancel(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; sleep 60")
    executor.submit(job)
    assert job.native_id in executor.list()
    wait_until((tmp_path / "begun").exists)
    job.cancel()
    assert end(job)[0] is JobState.CANCELED
    job.cancel()
    assert job.native_id not in executor.list()


def test_one_of_an_array_is_cancelled(executor: JobExecutor, tmp_path: Path) -> None:
    jobs = [shell(f"touch {tmp_path}/{number}; [ {number} = 2 ] && sleep 60; exit 3") for number in range(5)]
    executor.submit(jobs)
    wait_until((tmp_path / "2").exists)
    jobs[2].cancel()
    assert [end(job) for job in jobs if job is not jobs[2]] == [(JobState.FAILED, 3)] * 4
    assert end(jobs[2])[0] is JobState.CANCELED


def test_a_job_that_nobody_knows_any_more_is_lost(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; exec sleep 60")
    executor.submit(job)
    wait_until((tmp_path / "begun").exists)
    place = tmp_path / "queue" / str(job.native_id)
    os.killpg(int((place / "pid").read_text()), 9)
    wait_until((place / "exit").exists)
    shutil.rmtree(place)
    state, code = end(job)
    assert (state, code) == (JobState.FAILED, None)
    assert "lost" in (job.status.message or "") or "neither the queue" in (job.status.message or "")


def test_a_job_whose_script_was_killed_ends_with_the_systems_word(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; exec sleep 60")
    executor.submit(job)
    wait_until((tmp_path / "begun").exists)
    os.killpg(int((tmp_path / "queue" / str(job.native_id) / "pid").read_text()), 9)
    assert end(job) == (JobState.FAILED, 137)


def test_refused(executor: JobExecutor) -> None:
    job = shell("true", attributes=JobAttributes(queue_name="nosuch"))
    with pytest.raises(SubmitException, match="nosuch") as caught:
        executor.submit(job)
    assert not caught.value.transient
    assert job.native_id is None
