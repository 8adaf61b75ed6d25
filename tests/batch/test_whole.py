"""The library over commands that pretend to be those of batch systems: jobs really run, answers are in their forms."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobAttributes, JobExecutor, JobSpec, JobState, ResourceSpecV1, SubmitException
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.reconcile import Policy
from tests.waiting import until

from .fakes.jobs import install


@dataclass(frozen=True)
class System:
    """What is different from one batch system to another."""

    name: str
    fake: str
    commands: tuple[str, ...]
    word_grace: float
    lost_after: float
    environ: dict[str, str] = field(default_factory=dict)
    #: The ids of the first array's elements.
    ids: str | None = None
    refusal: str = "nosuch"
    history: bool = True
    """Whether it says how jobs have ended whose records are not there."""


_PBS = ("qsub", "qstat", "qselect", "qdel")


def _pbs(name: str, *, torque: bool = False, history: bool = True) -> System:
    environ = {
        "FAKE_TORQUE": str(int(torque)),
        "FAKE_HISTORY": str(int(history and not torque)),
        "ARGOSY_TAG": "of-an-enclosing-job",
    }
    return System(name, "pbs", _PBS, 1.5, 3.0, environ, "101[{}].vm", "Unknown queue", history)


SYSTEMS = {
    "pbs": _pbs("pbs"),
    "pbs without a history": _pbs("pbs", history=False),
    "torque": _pbs("torque", torque=True),
    "lsf": System("lsf", "lsf", ("bsub", "bjobs", "bhist", "bkill"), 5.0, 1.0),
    "flux": System("flux", "flux", ("flux",), 5.0, 1.0),
}


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> System:
    return SYSTEMS[request.param]


@pytest.fixture
def executor(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobExecutor:
    monkeypatch.setenv("PATH", f"{install(system.fake, system.commands, tmp_path)}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_QUEUE", str(tmp_path / "queue"))
    for name, value in system.environ.items():
        monkeypatch.setenv(name, value)
    policy = Policy(record_grace=0.5, word_grace=system.word_grace, lost_after=system.lost_after)
    config = BatchExecutorConfig(work_directory=tmp_path / "work", batch=BatchConfig(poll=0.5, policy=policy))
    return JobExecutor.get_instance(system.name, config=config)


def shell(text: str, **more: object) -> Job:
    return Job(JobSpec("/bin/sh", ["-c", text], resources=ResourceSpecV1(), **more))


def end(job: Job) -> tuple[JobState, int | None]:
    status = job.wait(timedelta(seconds=60))
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
    value = 'a\'b "c"\n#PBS -q nosuch\n#BSUB -q nosuch\n#argosy-flux: --queue=nosuch\n$HOME'
    job = Job(JobSpec("/usr/bin/printf", ["%s", value], stdout_path=tmp_path / "out", name="a 'b' é"))
    executor.submit(job)
    assert end(job) == (JobState.COMPLETED, 0)
    assert (tmp_path / "out").read_text() == value


def test_many_alike_are_one_array_each_its_own_job(executor: JobExecutor, system: System, tmp_path: Path) -> None:
    jobs = [shell(f"echo $ARGOSY_NATIVE_ID > {tmp_path}/{number}; exit {number}") for number in range(5)]
    executor.submit(jobs)
    assert len({job.native_id for job in jobs}) == 5
    if system.ids is not None:
        assert [job.native_id for job in jobs] == [system.ids.format(number) for number in range(5)]
    for number, job in enumerate(jobs):
        assert end(job) == (JobState.FAILED if number else JobState.COMPLETED, number)
        assert (tmp_path / str(number)).read_text().strip() == job.native_id


def test_cancel(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; sleep 60")
    executor.submit(job)
    assert job.native_id in executor.list()
    until((tmp_path / "begun").exists)
    job.cancel()
    assert end(job)[0] is JobState.CANCELED
    job.cancel()
    until(lambda: job.native_id not in executor.list())  # its own record may be a moment ahead


def test_some_of_an_array_are_cancelled(executor: JobExecutor, tmp_path: Path) -> None:
    jobs = [shell(f"touch {tmp_path}/{number}; [ {number} -gt 2 ] && sleep 60; exit 3") for number in range(6)]
    executor.submit(jobs)
    until(lambda: all((tmp_path / str(number)).exists() for number in range(6)))
    for job in jobs[3:]:
        job.cancel()
    assert [end(job) for job in jobs[:3]] == [(JobState.FAILED, 3)] * 3
    assert [end(job)[0] for job in jobs[3:]] == [JobState.CANCELED] * 3


def test_a_job_that_nobody_knows_any_more_is_lost(executor: JobExecutor, tmp_path: Path) -> None:
    job = shell(f"touch {tmp_path}/begun; exec sleep 60")
    executor.submit(job)
    until((tmp_path / "begun").exists)
    place = tmp_path / "queue" / str(job.native_id)
    pid = int((place / "pid").read_text())
    shutil.rmtree(place)  # before it is killed: it is never shown to have ended
    os.killpg(pid, 9)
    assert end(job) == (JobState.FAILED, None)
    assert "neither the queue" in (job.status.message or "")


def test_a_job_whose_script_was_killed_ends_with_the_systems_word(
    executor: JobExecutor, system: System, tmp_path: Path
) -> None:
    job = shell(f"touch {tmp_path}/begun; exec sleep 60")
    executor.submit(job)
    until((tmp_path / "begun").exists)
    os.killpg(int((tmp_path / "queue" / str(job.native_id) / "pid").read_text()), 9)
    # Without a history nobody can say how it ended.
    assert end(job) == (JobState.FAILED, 137 if system.history else None)


def test_refused(executor: JobExecutor, system: System) -> None:
    job = shell("true", attributes=JobAttributes(queue_name="nosuch"))
    with pytest.raises(SubmitException, match=system.refusal) as caught:
        executor.submit(job)
    assert not caught.value.transient
    assert job.native_id is None


def test_attach(executor: JobExecutor, system: System) -> None:
    job = shell("exit 5")
    executor.submit(job)
    assert end(job) == (JobState.FAILED, 5)
    other = Job()
    executor.attach(other, str(job.native_id))
    assert end(other) == (JobState.FAILED, 5 if system.history else None)
