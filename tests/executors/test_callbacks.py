"""Callbacks that misbehave."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

import pytest

from argosy import Job, JobExecutor, JobSpec, JobState, JobStatus
from argosy.executors import callbacks

LONG = timedelta(seconds=60)
S = JobState


@pytest.mark.parametrize("leave", [SystemExit, KeyboardInterrupt])
def test_one_that_wants_to_leave_silences_no_other(
    leave: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def bad(job: Job, status: JobStatus) -> None:
        raise leave

    executor = JobExecutor.get_instance("local")
    job = Job(JobSpec("/bin/true"))
    job.set_job_status_callback(bad)
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED
    told = threading.Event()
    other = Job(JobSpec("/bin/true"))
    other.set_job_status_callback(lambda job, status: told.set() if status.final else None)
    executor.submit(other)
    assert told.wait(LONG.total_seconds())
    assert job.id in caplog.text


def test_the_thread_survives_whatever_it_calls(caplog: pytest.LogCaptureFixture) -> None:
    called = threading.Event()
    callbacks.enqueue(sys.exit)
    callbacks.enqueue(called.set)
    assert called.wait(LONG.total_seconds())
    assert "a defect" in caplog.text
