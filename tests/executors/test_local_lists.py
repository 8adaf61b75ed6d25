"""Lists of local jobs, which several threads start."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import InvalidJobException, InvalidStateException, Job, JobExecutor, JobSpec, JobState
from argosy.executors import callbacks

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture
def executor() -> JobExecutor:
    return JobExecutor.get_instance("local")


def test_all_are_started_once(executor: JobExecutor, tmp_path: Path) -> None:
    told: dict[str, list[JobState]] = {}
    executor.set_job_status_callback(lambda job, status: told.setdefault(job.id, []).append(status.state))
    out = tmp_path / "out"
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"echo {number} >>{out}; exit {number % 7}"])) for number in range(100)]
    executor.submit(jobs)
    assert len({job.native_id for job in jobs} - {None}) == 100
    assert [job.wait(LONG).exit_code for job in jobs] == [number % 7 for number in range(100)]
    assert sorted(map(int, out.read_text().split())) == list(range(100))
    callbacks.flush(LONG.total_seconds())
    assert all(states[:2] == [S.QUEUED, S.ACTIVE] and len(states) == 3 for states in told.values())


@pytest.mark.parametrize("fields", [{}, {"executable": "/bin/true", "launcher": "nosuch"}], ids=str)
def test_those_before_the_one_at_fault_are_started(executor: JobExecutor, fields: dict[str, str]) -> None:
    bad = Job(JobSpec(**fields))
    jobs = [Job(JobSpec("/bin/true")) for _ in range(40)]
    with pytest.raises(InvalidJobException):
        executor.submit([*jobs[:30], bad, *jobs[30:]])
    assert [job.wait(LONG).state for job in jobs[:30]] == [S.COMPLETED] * 30
    assert {(job.status.state, job.executor) for job in [bad, *jobs[30:]]} == {(S.NEW, None)}
    executor.submit(jobs[30:])
    assert [job.wait(LONG).state for job in jobs[30:]] == [S.COMPLETED] * 10


def test_a_job_that_is_in_the_list_twice_is_started_once(executor: JobExecutor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"echo x >>{out}"])) for _ in range(20)]
    with pytest.raises(InvalidStateException):
        executor.submit([*jobs, jobs[0]])
    assert {job.wait(LONG).state for job in jobs} == {S.COMPLETED}
    assert out.read_text() == "x\n" * 20


def test_what_cannot_be_started_keeps_no_other_from_it(executor: JobExecutor) -> None:
    jobs = [Job(JobSpec("/bin/true" if number % 3 else "/no/such")) for number in range(60)]
    executor.submit(jobs)
    states = [job.wait(LONG).state for job in jobs]
    assert states == [S.COMPLETED if number % 3 else S.FAILED for number in range(60)]


def test_lists_from_many_threads(executor: JobExecutor) -> None:
    lists = [[Job(JobSpec("/bin/true")) for _ in range(30)] for _ in range(6)]
    threads = [threading.Thread(target=executor.submit, args=(jobs,)) for jobs in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {job.wait(LONG).state for jobs in lists for job in jobs} == {S.COMPLETED}


def test_a_process_that_cannot_be_watched_is_ended(executor: JobExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(pid: int) -> int:
        started.append(pid)
        raise OSError(24, "Too many open files")

    started: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "pidfd_open", none_left)
        job = Job(JobSpec("/bin/sleep", ["300"]))
        executor.submit(job)
    status = job.wait(LONG)
    assert (status.state, status.message) == (S.FAILED, "the process cannot be watched: Too many open files")
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
