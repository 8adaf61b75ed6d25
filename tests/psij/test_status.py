"""The status of a job: its order, the states that are made up, callbacks, waiting; under many threads."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import argosy.psij as psij
from argosy.executors import callbacks
from argosy.psij import Job, JobSpec, JobState, JobStatus
from argosy.psij.job_state import JobStateOrder

S = JobState
PLAIN = (S.NEW, S.QUEUED, S.ACTIVE, S.COMPLETED, S.FAILED, S.CANCELED)
FINAL = (S.COMPLETED, S.FAILED, S.CANCELED)


def told(job: Job) -> list[JobState]:
    seen: list[JobState] = []
    job.set_job_status_callback(lambda job, status: seen.append(status.state))
    return seen


@given(st.permutations(PLAIN), st.booleans())
def test_whatever_the_order_of_reports_callbacks_go_forward(states: list[JobState], doubled: bool) -> None:
    """Job.getStatus, "monotonic in time"; "simulate missing states"."""
    job = Job(JobSpec("x"))
    seen = told(job)
    for state in states * (2 if doubled else 1):
        job.status = JobStatus(state)
    assert job.wait(timedelta(seconds=5)).state is job.status.state
    callbacks.flush(60)
    assert all(b.is_greater_than(a) for a, b in itertools.pairwise(seen))
    assert seen[-1] in FINAL
    assert sum(state.final for state in seen) == 1
    if seen[-1] is S.COMPLETED:
        assert seen == [S.QUEUED, S.ACTIVE, S.COMPLETED]


def test_the_partial_order() -> None:
    """JobState.isGreaterThan: final states are not comparable, all others are, transitively."""
    for a, b, c in itertools.product(S, repeat=3):
        if a.is_greater_than(b) and b.is_greater_than(c):
            assert a.is_greater_than(c)
    for a, b in itertools.product(S, repeat=2):
        if a is b:
            assert a.is_greater_than(b) is False
        elif a.final and b.final:
            assert a.is_greater_than(b) is None
        else:
            assert a.is_greater_than(b) is not b.is_greater_than(a)
    assert [state for state in S if state.final] == list(FINAL)


def test_forms_of_states_and_statuses() -> None:
    assert (str(S.ACTIVE), repr(S.ACTIVE), S.from_name("ACTIVE")) == ("ACTIVE", "ACTIVE", S.ACTIVE)
    assert all(bool(state) for state in S)
    assert JobStateOrder.prev(S.QUEUED) is S.NEW
    assert JobStateOrder.prev(S.FAILED) is None
    status = JobStatus(S.FAILED, time=1.5, message="why", exit_code=1, metadata={"a": 1})
    assert str(status) == "JobStatus[FAILED, time=1.5, message=why, exit_code=1, meta={'a': 1}]"
    assert status.final
    job = Job()
    assert str(job) == f"Job[id={job.id}, native_id=None, executor=None, status={job.status}]"
    assert len({job.id for job in (Job(), Job(), Job())}) == 3


@pytest.mark.parametrize("attempt", range(3))
def test_many_threads_set_the_status(attempt: int) -> None:
    """One final state for ever, told once; states in order, told once each."""
    for _ in range(60):
        job = Job(JobSpec("x"))
        seen = told(job)
        gate = threading.Barrier(9)

        def work(state: JobState, job: Job = job, gate: threading.Barrier = gate) -> None:
            gate.wait()
            job.status = JobStatus(state)

        threads = [threading.Thread(target=work, args=(state,)) for state in (*FINAL, *FINAL, S.QUEUED, S.ACTIVE)]
        for thread in threads:
            thread.start()
        gate.wait()
        end = job.wait(timedelta(seconds=10))
        for thread in threads:
            thread.join()
        assert job.status is end
        assert job.wait(timedelta(0)) is end
        callbacks.flush(60)
        assert [state for state in seen if state.final] == [end.state]
        assert all(b.is_greater_than(a) for a, b in itertools.pairwise(seen))


def test_waiting_returns_the_status_that_ended_it() -> None:
    """Job.wait: a target state, one that is greater, or any final one; null on timeout."""
    job = Job(JobSpec("x"))
    assert job.wait(timedelta(0)) is None
    assert job.wait(timedelta(milliseconds=20), S.QUEUED) is None
    job.status = JobStatus(S.ACTIVE)
    assert job.wait(timedelta(0), [S.QUEUED]).state is S.ACTIVE
    assert job.wait(target_states=S.ACTIVE).state is S.ACTIVE
    assert job.wait([S.QUEUED, S.CANCELED]).state is S.ACTIVE
    assert job.wait(S.QUEUED).state is S.ACTIVE
    job.status = end = JobStatus(S.COMPLETED)
    # CANCELED can be reached no more: the final status is returned, so that nobody waits for ever.
    assert job.wait(timedelta(0), S.CANCELED) is end
    assert job.wait() is end


def test_a_waiter_gets_the_status_at_its_wake_up() -> None:
    job = Job(JobSpec("x"))
    answers: list[JobStatus | None] = []
    threads = [
        threading.Thread(target=lambda: answers.append(job.wait(timedelta(seconds=10), S.QUEUED))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    job.status = JobStatus(S.COMPLETED)
    for thread in threads:
        thread.join()
    assert {answer.state for answer in answers} <= {S.QUEUED, S.COMPLETED}


def test_callbacks_may_be_taken_back() -> None:
    """setStatusCallback, "To unset the callback, call this method with a null argument"."""
    executor = psij.JobExecutor.get_instance("local")
    job = Job(JobSpec("/bin/true"))
    of_job, of_executor = told(job), []
    executor.set_job_status_callback(lambda job, status: of_executor.append(status.state))
    executor.set_job_status_callback(None)
    job.set_job_status_callback(None)
    executor.submit(job)
    job.wait()
    assert of_job == of_executor == []


def test_a_callback_object_and_a_function_are_both_told() -> None:
    class Callback(psij.JobStatusCallback):
        def __init__(self) -> None:
            self.seen: list[tuple[str, JobState]] = []

        def job_status_changed(self, job: Job, status: JobStatus) -> None:
            self.seen.append((job.id, status.state))

    executor, job, of_job = psij.JobExecutor.get_instance("local"), Job(JobSpec("/bin/true")), Callback()
    order: list[str] = []
    executor.set_job_status_callback(lambda job, status: order.append(f"executor {status.state}"))
    job.set_job_status_callback(lambda job, status: order.append(f"job {status.state}"))
    executor.submit(job)
    job.wait()
    callbacks.flush(60)
    assert order == [f"{who} {state}" for state in ("QUEUED", "ACTIVE", "COMPLETED") for who in ("job", "executor")]
    other = Job(JobSpec("/bin/true"))
    other.set_job_status_callback(of_job)
    executor.submit(other)
    other.wait()
    callbacks.flush(60)
    assert of_job.seen == [(other.id, state) for state in (S.QUEUED, S.ACTIVE, S.COMPLETED)]


def test_a_callback_that_hangs_holds_up_nobody_for_long() -> None:
    release, over = threading.Event(), threading.Event()

    def hang(job: Job, status: JobStatus) -> None:
        release.wait(60)
        over.set()

    job = Job(JobSpec("x"))
    job.set_job_status_callback(hang)
    job.status = JobStatus(S.COMPLETED)
    assert job.wait().state is S.COMPLETED
    assert not over.is_set()
    release.set()
    callbacks.flush(60)


def test_a_callback_may_wait_for_its_own_job() -> None:
    executor, job, ends = psij.JobExecutor.get_instance("local"), Job(JobSpec("/bin/true")), []
    job.set_job_status_callback(lambda job, status: ends.append(job.wait(timedelta(seconds=10)).state))
    executor.submit(job)
    job.wait()
    callbacks.flush(60)
    assert ends == [S.COMPLETED] * 3


def test_the_condition_of_psij_python_is_notified() -> None:
    job = Job(JobSpec("x"))
    with job._status_cv:
        threading.Timer(0.05, lambda: setattr(job, "status", JobStatus(S.QUEUED))).start()
        assert job._status_cv.wait_for(lambda: job.status.state is S.QUEUED, 10)
        job.status = JobStatus(S.ACTIVE)  # by the thread that holds it


def test_programs_keep_things_on_jobs() -> None:
    job = Job()
    job.mine = 1
    job._native_id = 17
    assert (job.mine, job.native_id) == (1, "17")
