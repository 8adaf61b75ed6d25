"""The examples of the PSI/J specification's Appendix C, on local processes and on a real Slurm.

They are its pseudo-code made to run: names as the specification's own sections have them (`cpu_cores_per_process`, not
`cores_per_process`), shorter sleeps, and an executor that a test can have.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import argosy.psij as psij
from argosy.psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutorConfig

LONG = timedelta(seconds=90)


@pytest.fixture(params=["local", pytest.param("slurm", marks=pytest.mark.slurm)])
def jex(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[psij.JobExecutor]:
    config = None
    if request.param == "slurm":
        request.getfixturevalue("slurm")
        config = BatchSchedulerExecutorConfig(work_directory=tmp_path / "work", queue_polling_interval=1)
    return psij.JobExecutor.get_instance(request.param, config=config)


def make_job(seconds: str = "0.2") -> psij.Job:
    job = psij.Job()
    spec = psij.JobSpec()
    spec.executable = "/bin/sleep"
    spec.arguments = [seconds]
    job.spec = spec
    return job


def test_submit_and_wait_for_n_jobs(jex: psij.JobExecutor) -> None:
    n = 8
    jobs = []
    for _ in range(n):
        job = make_job()
        jex.submit(job)
        jobs.append(job)
    for i in range(n):
        assert jobs[i].wait(LONG).state is psij.JobState.COMPLETED


def test_run_n_jobs_while_throttling_to_m_concurrent_jobs(jex: psij.JobExecutor) -> None:
    """Jobs are submitted from within the executor's callback."""

    class ThrottledSubmitter:
        def __init__(self, n: int, m: int) -> None:
            self.jex = jex
            self.n, self.m = n, m
            self.jobs = [make_job() for _ in range(n)]
            self.count = 0
            self.running = self.most = self.done = 0
            self.lock = threading.RLock()
            self.finished = threading.Event()

        def submit_next(self) -> None:
            with self.lock:
                if self.count < self.n:
                    job = self.jobs[self.count]
                    self.count += 1
                    self.running += 1
                    self.most = max(self.most, self.running)
                    self.jex.submit(job)

        def start(self) -> None:
            self.jex.set_job_status_callback(self.callback)
            with self.lock:  # none is seen to end before the first of them are all there
                while self.count < self.m:
                    self.submit_next()

        def callback(self, job: psij.Job, status: psij.JobStatus) -> None:
            if status.final:
                with self.lock:
                    self.running -= 1
                    self.done += 1
                    if self.done == self.n:
                        self.finished.set()
                self.submit_next()

    submitter = ThrottledSubmitter(9, 3)
    submitter.start()
    assert submitter.finished.wait(LONG.total_seconds())
    assert submitter.most == 3
    assert all(job.status.state is psij.JobState.COMPLETED for job in submitter.jobs)


def test_submit_a_malformed_or_unsatisfiable_job(jex: psij.JobExecutor) -> None:
    job_1 = psij.Job()
    job_2 = psij.Job()
    spec_1 = psij.JobSpec()
    spec_2 = psij.JobSpec()
    spec_1.executable = "/bin/true"
    spec_2.executable = True  # type error
    job_1.spec = spec_1
    job_2.spec = spec_2
    jex.submit(job_1)
    with pytest.raises(psij.InvalidJobException, match="executable"):
        jex.submit(job_2)
    assert job_1.wait(LONG).state is psij.JobState.COMPLETED
    assert job_2.status.state is psij.JobState.NEW


def test_submit_wait_for_queued_cancel_and_wait_for_the_final_event(jex: psij.JobExecutor) -> None:
    job = make_job("60")
    jex.submit(job)
    assert job.wait(LONG, [psij.JobState.QUEUED]) is not None
    job.cancel()
    assert job.wait(LONG).state is psij.JobState.CANCELED
    assert job.status.final


def test_p_processes_with_c_cpus_each(jex: psij.JobExecutor, tmp_path: Path) -> None:
    """The test machines have no GPUs to give, so G is 0."""
    res_spec = psij.ResourceSpecV1()
    res_spec.process_count = 10
    res_spec.cpu_cores_per_process = 4
    res_spec.gpu_cores_per_process = 0
    job_spec = psij.JobSpec()
    job_spec.executable = "echo"
    job_spec.arguments = ["foo", "bar", "buz"]
    job_spec.directory = str(tmp_path)
    job_spec.stdin_path = "/dev/null"
    job_spec.stdout_path = "work.out"
    job_spec.stderr_path = "work.err"
    job_spec.resources = res_spec
    job_spec.launcher = "multiple"
    job = psij.Job()
    job.spec = job_spec
    jex.submit(job)
    assert job.wait(LONG).exit_code == 0
    assert (tmp_path / "work.out").read_text() == "foo bar buz\n" * 10


def test_n_exclusive_nodes_each_with_p_processes(jex: psij.JobExecutor, tmp_path: Path) -> None:
    """Of the 5 nodes of the example the test cluster has 4."""
    res_spec = psij.ResourceSpecV1()
    res_spec.exclusive_node_use = True
    res_spec.process_count = 4
    res_spec.processes_per_node = 2
    assert res_spec.computed_node_count == 2
    job_spec = psij.JobSpec()
    job_spec.executable = "/bin/sh"
    job_spec.arguments = ["-c", "echo $SLURM_NTASKS $SLURM_JOB_NUM_NODES"]
    job_spec.stdout_path = tmp_path / "out"
    job_spec.resources = res_spec
    job = psij.Job()
    job.spec = job_spec
    jex.submit(job)
    assert job.wait(LONG).exit_code == 0
    if jex.name == "slurm":
        assert (tmp_path / "out").read_text() == "4 2\n"


def test_all_the_knobs(jex: psij.JobExecutor, tmp_path: Path) -> None:
    """A project and a reservation that the test cluster has not got are left out."""
    res_spec = psij.ResourceSpecV1()
    res_spec.exclusive_node_use = False
    res_spec.process_count = 10
    res_spec.processes_per_node = 3
    res_spec.cpu_cores_per_process = 4
    res_spec.gpu_cores_per_process = 0
    assert (res_spec.computed_node_count, res_spec.computed_process_count) == (4, 10)
    job_spec = psij.JobSpec()
    job_spec.name = "psij_example"
    job_spec.directory = tmp_path
    job_spec.executable = "/bin/sh"
    job_spec.arguments = ["-c", 'echo "$@" $FOO $BAR $SLURM_JOB_NAME $SLURM_JOB_PARTITION', "sh", "foo", "bar", "buz"]
    job_spec.resources = res_spec
    job_spec.inherit_environment = True
    job_spec.environment = {"FOO": "foo", "BAR": "bar"}
    job_spec.stdout_path = "out"
    job_spec.attributes.duration = timedelta(seconds=1000)
    job_spec.attributes.queue_name = "debug"
    job = psij.Job()
    job.spec = job_spec
    jex.submit(job)
    assert job.wait(LONG).exit_code == 0
    said = (tmp_path / "out").read_text().split()
    assert said[:5] == ["foo", "bar", "buz", "foo", "bar"]
    if jex.name == "slurm":
        assert said[5:] == ["psij_example", "debug"]


def test_check_for_a_transient_error_and_retry(jex: psij.JobExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error leaves the job as it was, so the very same job can be submitted again."""

    def submit_with_exponential_backoff(jex: psij.JobExecutor, job: psij.Job) -> int:
        times_attempted = 0
        while True:
            try:
                jex.submit(job)
            except psij.SubmitException as se:
                if not se.transient:
                    raise  # re-raise to let caller see and handle it
                times_attempted += 1
                time.sleep(0.01 * random.randint(0, int(math.pow(2, times_attempted)) - 1))
            else:
                return times_attempted

    job = make_job()
    fail = iter([True, True])
    submit = jex.submit

    def unreliable(job: psij.Job) -> None:
        if next(fail, False):
            raise psij.SubmitException("the service is away for a moment", transient=True)
        submit(job)

    monkeypatch.setattr(jex, "submit", unreliable)
    assert submit_with_exponential_backoff(jex, job) == 2
    assert job.wait(LONG).state is psij.JobState.COMPLETED
