"""Processes that the local executor knows by their ids: attached to, or named by a new `Job`."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
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
    StageIn,
    SubmitException,
)
from argosy.executors.local import foreign
from argosy.executors.local.processes import Table
from tests.waiting import until

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture
def executor() -> JobExecutor:
    return JobExecutor.get_instance("local")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program's job: a shell that leads a session, and its child."""
    command = ["/bin/sh", "-c", "sleep 300 & echo; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()  # they are both there
        yield child
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def known(pid: int) -> Job:
    job = Job()
    job.native_id = str(pid)
    return job


@pytest.mark.parametrize("native_id", ["abc", "-1", "0", "1.5", "", " 12", "12\n", "٣", "007"])
def test_what_is_no_process_id_is_refused(executor: JobExecutor, native_id: str) -> None:
    job = Job(JobSpec("/bin/true"))
    with pytest.raises(InvalidJobException, match="not a process id") as caught:
        executor.attach(job, native_id)
    assert caught.value.element == "native_id"
    assert (job.status.state, job.executor, job.native_id) == (S.NEW, None, None)
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED
    if native_id:
        for act in (executor.cancel, executor.suspend):
            with pytest.raises(InvalidJobException, match="not a process id"):
                act(known_as(native_id))


def known_as(native_id: str) -> Job:
    job = Job()
    job.native_id = native_id
    return job


@pytest.mark.parametrize("native_id", ["4194305", "2147483648", "9" * 30, "9" * 5000])
def test_a_process_that_is_not_there_is_told(executor: JobExecutor, native_id: str) -> None:
    job = Job()
    executor.attach(job, native_id)
    assert (job.status.state, job.status.exit_code) == (S.FAILED, None)
    assert "No such process" in job.status.message
    executor.cancel(known_as(native_id))
    with pytest.raises(InvalidStateException, match="ended"):
        executor.suspend(known_as(native_id))


def test_one_of_another_program_can_be_controlled(executor: JobExecutor, process: subprocess.Popen[bytes]) -> None:
    job = Job()
    executor.attach(job, str(process.pid))
    assert job.status.state is S.ACTIVE
    executor.suspend(job)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    executor.resume(job)
    os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
    job.cancel()
    status = job.wait(LONG)
    assert (status.state, status.exit_code) == (S.CANCELED, None)
    assert process.wait(60) == -signal.SIGTERM
    # The other one was sent the signal too, and may be a moment behind.
    until(
        lambda: not [one for one in Table().processes.values() if one.session == process.pid and one.state not in "ZX"]
    )


def test_one_can_be_cancelled_as_soon_as_its_status_is_told(
    executor: JobExecutor, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from argosy.executors.local import executor as module

    class Impatient(Job):
        """One that is cancelled in the moment in which it becomes ACTIVE."""

        def _advance(self, status: JobStatus) -> None:
            super()._advance(status)
            if status.state is S.ACTIVE:
                self.cancel()

    job = Impatient()
    executor.attach(job, str(process.pid))
    assert process.wait(60) == -signal.SIGTERM
    assert job.wait(LONG).state is S.CANCELED

    def none_left() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(module, "ends", none_left)
    other = Job()
    with pytest.raises(SubmitException, match="Too many open files"):
        executor.attach(other, str(os.getpid()))
    assert (other.status.state, other.executor, other.native_id) == (S.NEW, None, None)


def test_a_native_id_is_enough(executor: JobExecutor, process: subprocess.Popen[bytes]) -> None:
    executor.suspend(known(process.pid))
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    executor.cancel(known(process.pid))
    assert process.wait(60) == -signal.SIGTERM
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    executor.cancel(known(int(job.native_id)))
    assert job.wait(LONG).state is S.CANCELED


def test_one_that_does_not_end_by_itself_is_killed(executor: JobExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    from argosy.executors.local import executor as module

    monkeypatch.setattr(module, "_GRACE", 0.0)
    process = subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        executor.cancel(known(process.pid))
        assert process.wait(60) == -signal.SIGKILL


def test_what_is_not_ones_own_is_refused_in_words(executor: JobExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, number: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    job = Job()
    executor.attach(job, "1")
    with monkeypatch.context() as patched:
        patched.setattr(foreign.signal, "pidfd_send_signal", refuse)
        for act in (executor.cancel, executor.suspend, executor.resume):
            with pytest.raises(SubmitException, match="process 1: Operation not permitted"):
                act(job)


def test_how_one_of_another_program_ended_is_not_known(executor: JobExecutor) -> None:
    process = subprocess.Popen(["/bin/sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE)
    with process:
        job = Job()
        executor.attach(job, str(process.pid))
        process.communicate(b"\n")
        status = job.wait(LONG)
    assert (status.state, status.exit_code) == (S.FAILED, None)
    assert "exit code is known to the program that started it only" in status.message


@pytest.mark.parametrize("code", [0, 5])
def test_how_one_of_this_program_ended_is(executor: JobExecutor, tmp_path: Path, code: int) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    job = Job(JobSpec("/bin/sh", ["-c", f"read line <{go}; exit {code}"]))
    executor.submit(job)
    others = [Job(), Job()]
    executor.attach(others[0], job.native_id)
    JobExecutor.get_instance("local").attach(others[1], job.native_id)
    assert [(other.status.state, other.native_id) for other in others] == [(S.ACTIVE, job.native_id)] * 2
    go.write_text("\n")
    wanted = (S.FAILED if code else S.COMPLETED, code)
    assert [(one.wait(LONG).state, one.status.exit_code) for one in (job, *others)] == [wanted] * 3


@pytest.mark.parametrize("staged", [False, True])
def test_any_handle_on_ones_own_can_end_it(executor: JobExecutor, tmp_path: Path, staged: bool) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    spec = JobSpec("/bin/sh", ["-c", f"echo >{ready}; exec sleep 300"], directory=tmp_path)
    if staged:
        spec.stage_in = [StageIn("/etc/hostname", "x")]
    job, other = Job(spec), Job()
    executor.submit(job)
    JobExecutor.get_instance("local").attach(other, job.native_id)
    ready.read_text()
    assert other.wait(LONG, S.ACTIVE).state is S.ACTIVE
    other.cancel()
    assert {one.wait(LONG).state for one in (job, other)} == {S.CANCELED}


def test_no_room_to_watch_leaves_the_job_as_it_was(
    executor: JobExecutor, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    job = Job()
    with monkeypatch.context() as patched:
        patched.setattr(os, "pidfd_open", none_left)
        with pytest.raises(SubmitException, match="Too many open files") as caught:
            executor.attach(job, str(process.pid))
    assert caught.value.transient
    assert (job.status.state, job.executor) == (S.NEW, None)
    executor.attach(job, str(process.pid))
    assert job.status.state is S.ACTIVE


def test_this_program_is_never_ended_by_itself(tmp_path: Path) -> None:
    """A process of one's own session is ended; whoever asks for it goes on."""
    program = (
        "import subprocess, os; from argosy import *;"
        "child = subprocess.Popen(['/bin/sleep', '300']); job = Job(); job.native_id = str(child.pid);"
        "JobExecutor.get_instance('local').cancel(job); print(child.wait())"
    )
    environment = os.environ | {"ARGOSY_JOB_TAG": "one-tag-for-all"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert done.stdout.strip() == str(-signal.SIGTERM)
