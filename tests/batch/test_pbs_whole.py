"""The library over commands that pretend to be those of PBS and Torque: jobs really run, answers are in their forms."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobAttributes, JobExecutor, JobSpec, JobState, ResourceSpecV1, SubmitException
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.reconcile import Policy

from .fakes.jobs import install
from .scripts import wait_until

COMMANDS = ("qsub", "qstat", "qselect", "qdel")


@pytest.fixture(params=["pbs", "pbs without a history", "torque"])
def executor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobExecutor:
    kind = request.param
    monkeypatch.setenv("PATH", f"{install('pbs', COMMANDS, tmp_path)}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("FAKE_TORQUE", str(int(kind == "torque")))
    monkeypatch.setenv("FAKE_HISTORY", str(int(kind == "pbs")))
    monkeypatch.setenv("ARGOSY_TAG", "of-an-enclosing-job")
    policy = Policy(record_grace=0.5, word_grace=1.5, lost_after=3.0)
    config = BatchExecutorConfig(work_directory=tmp_path / "work", batch=BatchConfig(poll=0.5, policy=policy))
    return JobExecutor.get_instance(kind.partition(" ")[0], config=config)


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
    value = 'a\'b "c"\n#PBS -q nosuch\n$HOME'
    job = Job(JobSpec("/usr/bin/printf", ["%s", value], stdout_path=tmp_path / "out", name="a 'b' é"))
    executor.submit(job)
    assert end(job) == (JobState.COMPLETED, 0)
    assert (tmp_path / "out").read_text() == value


def test_many_alike_are_one_array_each_its_own_job(executor: JobExecutor, tmp_path: Path) -> None:
    jobs = [shell(f"echo $ARGOSY_NATIVE_ID > {tmp_path}/{number}; exit {number}") for number in range(5)]
    executor.submit(jobs)
    assert [job.native_id for job in jobs] == [f"101[{number}].vm" for number in range(5)]
    for number, job in enumerate(jobs):
        assert end(job) == (JobState.FAILED if number else JobState.COMPLETED, number)
        assert (tmp_path / str(number)).read_text().strip() == job.native_id


def test_cancel(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; sleep 60")
    executor.submit(job)
    assert job.native_id in executor.list()
    wait_until((tmp_path / "begun").exists)
    job.cancel()
    assert end(job)[0] is JobState.CANCELED
    job.cancel()
    assert job.native_id not in executor.list()


def test_some_of_an_array_are_cancelled(executor: JobExecutor, tmp_path: Path) -> None:
    jobs = [shell(f"touch {tmp_path}/{number}; [ {number} -gt 2 ] && sleep 60; exit 3") for number in range(6)]
    executor.submit(jobs)
    wait_until(lambda: all((tmp_path / str(number)).exists() for number in range(6)))
    for job in jobs[3:]:
        job.cancel()
    assert [end(job) for job in jobs[:3]] == [(JobState.FAILED, 3)] * 3
    assert [end(job)[0] for job in jobs[3:]] == [JobState.CANCELED] * 3


def test_a_job_that_nobody_knows_any_more_is_lost(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; exec sleep 60")
    executor.submit(job)
    wait_until((tmp_path / "begun").exists)
    place = tmp_path / "queue" / str(job.native_id)
    os.killpg(int((place / "pid").read_text()), 9)
    wait_until((place / "exit").exists)
    shutil.rmtree(place)
    assert end(job) == (JobState.FAILED, None)
    assert "neither the queue" in (job.status.message or "")


def test_a_job_whose_script_was_killed_ends_with_the_systems_word(
    executor: JobExecutor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    job = shell(f"touch {tmp_path}/begun; exec sleep 60")
    executor.submit(job)
    wait_until((tmp_path / "begun").exists)
    os.killpg(int((tmp_path / "queue" / str(job.native_id) / "pid").read_text()), 9)
    # Without a history nobody can say how it ended.
    assert end(job) == (JobState.FAILED, None if "without" in request.node.name else 137)


def test_refused(executor: JobExecutor) -> None:
    job = shell("true", attributes=JobAttributes(queue_name="nosuch"))
    with pytest.raises(SubmitException, match="Unknown queue") as caught:
        executor.submit(job)
    assert not caught.value.transient
    assert job.native_id is None


def test_attach(executor: JobExecutor, request: pytest.FixtureRequest) -> None:
    job = shell("exit 5")
    executor.submit(job)
    assert end(job) == (JobState.FAILED, 5)
    other = Job()
    executor.attach(other, str(job.native_id))
    assert end(other) == (JobState.FAILED, None if "without" in request.node.name else 5)
