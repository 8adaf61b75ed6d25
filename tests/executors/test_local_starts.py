"""Local jobs that several threads submit at once, and more of them than the system has room for."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobExecutor, JobSpec, JobState, SubmitException
from argosy.executors.executor import JobNotNew
from argosy.executors.local import child

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture
def executor() -> JobExecutor:
    return JobExecutor.get_instance("local")


@pytest.mark.parametrize("many", [1, 40], ids=["one", "list"])
def test_of_threads_that_submit_the_same_one_starts_it(executor: JobExecutor, tmp_path: Path, many: int) -> None:
    out = tmp_path / "out"
    for _ in range(10):
        jobs = [Job(JobSpec("/bin/sh", ["-c", f"echo x >>{out}"])) for _ in range(many)]
        together = threading.Barrier(4)
        refused: list[JobNotNew] = []

        def submit(
            jobs: list[Job] = jobs, together: threading.Barrier = together, refused: list[JobNotNew] = refused
        ) -> None:
            together.wait()
            try:
                executor.submit(jobs if many > 1 else jobs[0])
            except JobNotNew as error:
                refused.append(error)

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        started = [job for job in jobs if job.executor is not None]
        assert jobs[0] in started
        assert {job.wait(LONG).state for job in started} == {S.COMPLETED}
        assert out.read_text() == "x\n" * len(started)
        assert len(refused) == 3 or many > 1
        out.unlink()


@pytest.fixture
def few_files(executor: JobExecutor, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So few files may be open that some fifteen jobs can be watched."""
    assert run(executor, JobSpec("/bin/true")) is S.COMPLETED  # what the library itself has open is there
    monkeypatch.setattr(child, "_tight", True)  # the limit is looked up again
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 30, hard))
    held = fill()
    for _ in range(30):
        os.close(held.pop())
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for fd in held:
        os.close(fd)


def fill() -> list[int]:
    """As many open files as there may be."""
    held: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            held.append(os.dup(0))
    return held


def run(executor: JobExecutor, spec: JobSpec) -> JobState:
    job = Job(spec)
    executor.submit(job)
    return job.wait(LONG).state


@pytest.mark.parametrize("at_once", [True, False], ids=["list", "loop"])
@pytest.mark.usefixtures("few_files")
def test_what_there_is_no_room_for_is_refused_before_it_runs(
    executor: JobExecutor, tmp_path: Path, at_once: bool
) -> None:
    out, go = tmp_path / "out", tmp_path / "go"
    os.mkfifo(go)
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"echo x >>{out}; read line <{go}"])) for _ in range(100)]
    with pytest.raises(SubmitException, match="Too many open files") as caught:  # noqa: PT012
        for part in [jobs] if at_once else jobs:
            executor.submit(part)
    assert caught.value.transient
    begun = [job for job in jobs if job.status.state is not S.NEW]
    assert 5 < len(begun) < 30
    assert {job.status.state for job in begun} == {S.ACTIVE}
    assert {(job.executor, job.native_id) for job in jobs if job not in begun} == {(None, None)}
    executor.cancel_many(begun)
    assert {job.wait(LONG).state for job in begun} == {S.CANCELED}
    assert (out.read_text() if out.exists() else "").count("x") <= len(begun)
    again = next(job for job in jobs if job not in begun)
    executor.submit(again)
    again.cancel()
    assert again.wait(LONG).state is S.CANCELED


def test_no_room_for_streams_is_no_end_of_the_job(
    executor: JobExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(executor, JobSpec("/bin/true")) is S.COMPLETED  # what the library itself has open is there
    job = Job(JobSpec("/bin/true", stdout_path=tmp_path / "out"))
    monkeypatch.setattr(child, "_tight", False)
    monkeypatch.setattr(child, "_spares", [os.dup(0)])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # whatever other threads close meanwhile, there is no room
    try:
        with pytest.raises(SubmitException, match=r"Too many open files: .*/out"):
            executor.submit(job)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (job.status.state, job.executor) == (S.NEW, None)
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED


def test_no_room_for_processes_is_no_end_of_the_job(executor: JobExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    job = Job(JobSpec("/bin/true"))
    with monkeypatch.context() as patched:
        patched.setattr(child.posix, "spawn", None)
        patched.setattr(subprocess, "Popen", refuse)
        with pytest.raises(SubmitException, match="temporarily unavailable") as caught:
            executor.submit(job)
    assert caught.value.transient
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED


@pytest.mark.parametrize("many", [1, 40], ids=["one", "list"])
def test_what_goes_wrong_in_a_start_leaves_jobs_started_or_new(
    executor: JobExecutor, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    from argosy.executors.local import executor as module

    start, starts = module.start, itertools.count(1)

    def fail_once(*arguments: object) -> child.Started:
        if next(starts) == min(many, 5):
            raise MemoryError
        return start(*arguments)

    jobs = [Job(JobSpec("/bin/true")) for _ in range(many)]
    with monkeypatch.context() as patched:
        patched.setattr(module, "start", fail_once)
        with pytest.raises(MemoryError):
            executor.submit(jobs if many > 1 else jobs[0])
    left = [job for job in jobs if job.executor is None]
    assert left
    assert {job.status.state for job in left} == {S.NEW}
    assert {job.wait(LONG).state for job in jobs if job not in left} <= {S.COMPLETED}
    executor.submit(left)
    assert {job.wait(LONG).state for job in left} == {S.COMPLETED}


def test_one_that_is_just_being_started_cannot_be_cancelled_yet(
    executor: JobExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argosy.executors.local import executor as module

    start, refusals = module.start, []

    def cancel_meanwhile(*arguments: object) -> child.Started:
        try:
            job.cancel()
        except SubmitException as error:
            refusals.append(error.transient)
        return start(*arguments)

    job = Job(JobSpec("/bin/sleep", ["60"]))
    monkeypatch.setattr(module, "start", cancel_meanwhile)
    executor.submit(job)
    assert refusals == [True]
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED
