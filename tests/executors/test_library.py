"""PSI/J's interface over all that can be had here for real: one suite for all."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import (
    InvalidJobException,
    InvalidStateException,
    Job,
    JobExecutor,
    JobSpec,
    JobState,
    JobStatus,
    JobStatusCallback,
    ResourceSpecV1,
    SubmitException,
)
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from tests.service.running import RunningService

pytestmark = pytest.mark.timeout(120)

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A service of the tests' own, found as the `argosy` command finds one."""
    running = RunningService(tmp_path_factory.mktemp("service") / "home")
    running.directory.mkdir(mode=0o700)
    running.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGOSY_HOME", str(running.directory))
        yield
    running.end()


@pytest.fixture(
    params=[
        "local",
        "argosy",
        pytest.param("slurm", marks=pytest.mark.slurm),
        pytest.param("slurmrestd", marks=[pytest.mark.slurm, pytest.mark.slurmrestd]),
        pytest.param("gridengine", marks=pytest.mark.gridengine),
        pytest.param("slurm-ssh", marks=[pytest.mark.slurm, pytest.mark.ssh]),
    ]
)
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobExecutor]:
    config = None
    if request.param == "argosy":
        request.getfixturevalue("service")
    if request.param == "slurm-ssh":
        request.getfixturevalue("slurm")
        sshd = request.getfixturevalue("sshd")
        config = BatchExecutorConfig(
            work_directory=tmp_path / "work", batch=BatchConfig(poll=1.0), ssh_config=sshd.config
        )
        return JobExecutor.get_instance("slurm", url=sshd.url, config=config)
    if request.param == "slurmrestd":
        server = request.getfixturevalue("slurmrestd")
        config = BatchExecutorConfig(
            work_directory=tmp_path / "work", batch=BatchConfig(poll=1.0), options=server.options
        )
    if request.param in ("slurm", "gridengine"):
        request.getfixturevalue(request.param)
        config = BatchExecutorConfig(work_directory=tmp_path / "work", batch=BatchConfig(poll=1.0))
    return JobExecutor.get_instance(request.param, config=config)


def run(executor: JobExecutor, spec: JobSpec) -> JobStatus:
    job = Job(spec)
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None, job
    return status


def test_what_is_known_of_a_running_job(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/sleep", ["60"], name="told-of"))
    executor.submit(job)
    job.wait(LONG, target_states=[S.ACTIVE])
    # The job's own record may be a moment ahead of what the batch system shows.
    end = time.monotonic() + LONG.total_seconds()
    while (now := executor.info([job])[0]).status.state is S.QUEUED:
        assert time.monotonic() < end
    assert (now.native_id, now.status.state) == (job.native_id, S.ACTIVE)
    assert now.spec is not None
    assert now.spec.name in ("told-of", None)  # not every batch system tells
    told = now.current_info
    assert told.dispatch_time is not None
    assert told.wall_time < 60
    assert told.allocated_nodes
    job.cancel()
    job.wait(LONG)


def test_a_job_goes_through_its_states(executor: JobExecutor, tmp_path: Path) -> None:
    of_job: list[JobState] = []
    of_executor: list[JobState] = []
    told = threading.Event()

    class Callback(JobStatusCallback):
        def job_status_changed(self, job: Job, status: JobStatus) -> None:
            of_executor.append(status.state)
            if status.final:
                told.set()

    executor.set_job_status_callback(Callback())
    job = Job(JobSpec("/bin/date", stdout_path=tmp_path / "out.txt"))
    job.set_job_status_callback(lambda job, status: of_job.append(status.state))
    assert job.status.state is S.NEW
    executor.submit(job)
    assert job.native_id is not None
    assert job.executor is executor
    status = job.wait(LONG)
    assert status is not None
    assert (status.state, status.exit_code) == (S.COMPLETED, 0)
    assert told.wait(10)
    assert of_job == of_executor == [S.QUEUED, S.ACTIVE, S.COMPLETED]
    assert (tmp_path / "out.txt").read_text().strip()
    assert status.metadata["usage"].wall_seconds is not None


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137)])
def test_exit_codes(executor: JobExecutor, script: str, code: int) -> None:
    status = run(executor, JobSpec("/bin/sh", ["-c", script]))
    assert (status.state, status.exit_code) == (S.FAILED, code)


def test_a_program_that_is_not_there(executor: JobExecutor) -> None:
    status = run(executor, JobSpec("/no/such/program"))
    assert (status.state, status.exit_code) == (S.FAILED, 127)


def test_a_directory_that_is_not_there_never_runs_elsewhere(executor: JobExecutor, tmp_path: Path) -> None:
    status = run(executor, JobSpec("/bin/touch", ["ran"], directory=tmp_path / "nosuch"))
    assert status.state is S.FAILED
    assert "nosuch" in status.message
    assert not (tmp_path / "ran").exists()


def test_streams_environment_and_directory(executor: JobExecutor, tmp_path: Path) -> None:
    directory = tmp_path / "a 'dir'"
    directory.mkdir()
    (directory / "in").write_text("input")
    spec = JobSpec(
        "/bin/sh",
        ["-c", 'cat; pwd; echo "$A|$B|$1"; echo err >&2', "sh", "${A}/x $${A}"],
        directory=directory,
        environment={"A": "a b", "B": "${A}:${NOSUCH}c"},
        stdin_path="in",
        stdout_path="out",
        stderr_path="err",
    )
    assert run(executor, spec).exit_code == 0
    assert (directory / "out").read_text() == f"input{directory}\na b|a b:c|a b/x ${{A}}\n"
    assert (directory / "err").read_text() == "err\n"


def test_one_file_for_both_streams(executor: JobExecutor, tmp_path: Path) -> None:
    both = tmp_path / "both"
    spec = JobSpec("/bin/sh", ["-c", "echo 1; echo 2 >&2; echo 3"], stdout_path=both, stderr_path=both)
    run(executor, spec)
    assert both.read_text() == "1\n2\n3\n"


def test_an_empty_environment(executor: JobExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "x")
    spec = JobSpec(
        "/usr/bin/env", inherit_environment=False, environment={"ONLY": "this"}, stdout_path=tmp_path / "out"
    )
    assert run(executor, spec).exit_code == 0
    lines = (tmp_path / "out").read_text().splitlines()
    assert "ONLY=this" in lines
    assert not [line for line in lines if line.startswith(("FROM_OUTSIDE=", "HOME="))]


def test_scripts_are_sourced_once_and_ranks_started(executor: JobExecutor, tmp_path: Path) -> None:
    (tmp_path / "pre").write_text("echo pre >> log; export SET=by-pre\n")
    (tmp_path / "post").write_text("echo post >> log\n")
    spec = JobSpec(
        "/bin/sh",
        ["-c", "echo $SET $_PSI_J_PROCESS_INDEX_ >> log"],
        directory=tmp_path,
        pre_launch=tmp_path / "pre",
        post_launch=tmp_path / "post",
        launcher="multiple",
        resources=ResourceSpecV1(process_count=2),
    )
    assert run(executor, spec).exit_code == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("pre", "post")
    assert sorted(lines[1:-1]) == ["by-pre 1", "by-pre 2"]


def test_cancelling(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    assert job.wait(LONG, S.ACTIVE) is not None
    job.cancel()
    status = job.wait(LONG)
    assert status is not None
    assert status.state is S.CANCELED
    job.cancel()


def test_cancelling_many(executor: JobExecutor) -> None:
    jobs = [Job(JobSpec("/bin/sleep", ["300"])) for _ in range(6)]
    executor.submit(jobs)
    assert jobs[0].wait(LONG, S.ACTIVE) is not None
    executor.cancel_many(jobs)
    assert {job.wait(LONG).state for job in jobs} == {S.CANCELED}
    executor.cancel_many(jobs)
    with pytest.raises(SubmitException):
        executor.cancel_many([Job(JobSpec("/bin/true"))])


def test_a_job_that_was_never_submitted_cannot_be_cancelled() -> None:
    with pytest.raises(SubmitException, match="not been submitted"):
        Job(JobSpec("/bin/true")).cancel()


def test_waiting(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/sleep", ["300"]))
    assert job.wait(timedelta(0)) is None
    executor.submit(job)
    queued = job.wait(LONG, [S.QUEUED])
    assert queued is not None
    assert job.wait(timedelta(0)) is None
    assert job.wait(timedelta(milliseconds=50), S.COMPLETED) is None
    job.cancel()
    assert job.wait(LONG, S.COMPLETED).state is S.CANCELED


def test_a_job_is_submitted_once(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/true"))
    executor.submit(job)
    with pytest.raises(InvalidStateException):
        executor.submit(job)
    job.wait(LONG)


def test_a_bad_job_is_unchanged(executor: JobExecutor) -> None:
    for job, element in (
        (Job(), "spec"),
        (Job(JobSpec()), "executable"),
        (Job(JobSpec("/bin/true", launcher="nosuch")), "launcher"),
    ):
        with pytest.raises(InvalidJobException) as caught:
            executor.submit(job)
        assert caught.value.element == element
        assert (job.status.state, job.executor, job.native_id) == (S.NEW, None, None)
        job.spec = JobSpec("/bin/true")
        executor.submit(job)
        assert job.wait(LONG).state is S.COMPLETED


def test_many_at_once(executor: JobExecutor, tmp_path: Path) -> None:
    count = tmp_path / "count"
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"echo {number} >> {count}; exit {number}"])) for number in range(20)]
    executor.submit(jobs)
    assert [job.wait(LONG).exit_code for job in jobs] == list(range(20))
    assert sorted(map(int, count.read_text().split())) == list(range(20))
    assert len({job.native_id for job in jobs}) == 20


def test_what_runs_is_listed(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    assert job.native_id in executor.list()
    job.cancel()
    job.wait(LONG)
    # The job's own record may be a moment ahead of what the batch system shows.
    end = time.monotonic() + LONG.total_seconds()
    while job.native_id in executor.list():
        assert time.monotonic() < end


def test_attaching(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    other = Job()
    executor.attach(other, job.native_id)
    assert other.wait(LONG, S.ACTIVE) is not None
    with pytest.raises(InvalidJobException):
        executor.attach(other, job.native_id)
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED
    assert other.wait(LONG).final


def test_callbacks_that_fail_disturb_nobody(executor: JobExecutor, caplog: pytest.LogCaptureFixture) -> None:
    def bad(job: Job, status: JobStatus) -> None:
        raise RuntimeError("callback")

    executor.set_job_status_callback(bad)
    assert run(executor, JobSpec("/bin/true")).state is S.COMPLETED
    assert "callback" in caplog.text


@pytest.mark.slurm
def test_slurm_refuses_in_its_own_words(slurm: None, tmp_path: Path) -> None:
    executor = JobExecutor.get_instance("slurm", config=BatchExecutorConfig(work_directory=tmp_path))
    job = Job(JobSpec("/bin/true"))
    job.spec.attributes.queue_name = "nosuch"
    with pytest.raises(SubmitException, match="invalid partition") as caught:
        executor.submit(job)
    assert not caught.value.transient
    assert (job.status.state, job.executor) == (S.NEW, None)
    job.spec.attributes.queue_name = "debug"
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED


@pytest.mark.slurm
def test_hold_and_release(slurm: None, tmp_path: Path) -> None:
    executor = JobExecutor.get_instance("slurm", config=BatchExecutorConfig(work_directory=tmp_path))
    blocker = JobSpec("/bin/sleep", ["1"])
    job = Job(JobSpec("/bin/true"))
    job.spec.attributes.set_custom_attribute("slurm.begin", "now+1hour")
    executor.submit(job)
    executor.hold(job)
    assert job.wait(timedelta(seconds=2)) is None
    executor.release(job)
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED
    assert run(executor, blocker).state is S.COMPLETED


@pytest.mark.slurm
def test_a_job_that_runs_cannot_be_held(slurm: None, tmp_path: Path) -> None:
    executor = JobExecutor.get_instance("slurm", config=BatchExecutorConfig(work_directory=tmp_path))
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    try:
        assert job.wait(LONG, S.ACTIVE) is not None
        with pytest.raises(InvalidStateException, match="it runs already"):
            executor.hold(job)
    finally:
        job.cancel()
    assert job.wait(LONG).state is S.CANCELED


def test_executors_are_found_by_name() -> None:
    assert {"local", "slurm"} <= JobExecutor.get_executor_names()
    assert JobExecutor.get_instance("LOCAL", ">= 0.1").name == "local"
    with pytest.raises(ValueError, match=r"No such executor: nosuch. Available executors: .*local.*slurm"):
        JobExecutor.get_instance("nosuch")
    with pytest.raises(ValueError, match="No such executor: local >= 99"):
        JobExecutor.get_instance("local", ">= 99")


def test_importing_the_library_imports_no_service() -> None:
    script = (
        "import sys, argosy; argosy.JobExecutor.get_instance('local'); argosy.JobExecutor.get_instance('slurm');"
        "print([name for name in ('msgspec', 'litestar', 'uvicorn', 'httpx', 'click') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_program_may_end_while_jobs_run(tmp_path: Path) -> None:
    script = (
        "from argosy import *; e = JobExecutor.get_instance('local');"
        f"e.submit(Job(JobSpec('/bin/sh', ['-c', 'sleep 0.3; echo done > {tmp_path}/out'])))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
