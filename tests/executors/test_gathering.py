"""A loop of single submissions: what is taken over, what waits, and what becomes of each."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
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
    SubmitException,
)
from argosy.executors import callbacks
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.batch.gathering import GatheringConfig
from tests.executors.fake_slurm import FakeSlurm

LONG = timedelta(seconds=60)
#: Nothing is submitted before somebody asks for it.
NEVER = GatheringConfig(alike=600, quiet=600, longest=600)
#: However long a loop stands still between two of its jobs.
PATIENT = GatheringConfig(alike=600, quiet=2, longest=600)
S = JobState


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", fake.path)
    return fake


@pytest.fixture
def make(fake: FakeSlurm, tmp_path: Path) -> Callable[[GatheringConfig], JobExecutor]:
    def make(gathering: GatheringConfig) -> JobExecutor:
        config = BatchConfig(gathering=gathering, command_timeout=20.0)
        return JobExecutor.get_instance(
            "slurm", config=BatchExecutorConfig(work_directory=tmp_path / "work", batch=config)
        )

    return make


def true(executor: JobExecutor, *arguments: str) -> Job:
    job = Job(JobSpec("/bin/true", list(arguments)))
    executor.submit(job)
    return job


def test_a_loop_becomes_a_few_arrays(make, fake: FakeSlurm) -> None:
    executor = make(PATIENT)
    told: dict[str, list[JobState]] = {}
    executor.set_job_status_callback(lambda job, status: told.setdefault(job.id, []).append(status.state))
    jobs = [Job(JobSpec("/bin/true")) for _ in range(100)]
    for job in jobs:
        executor.submit(job)
        assert job.executor is executor
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 100
    callbacks.flush(LONG.total_seconds())
    assert len({job.native_id for job in jobs}) == 100
    assert len(fake.calls("sbatch")) <= 10
    assert all(told[job.id] == [S.QUEUED, S.ACTIVE, S.COMPLETED] for job in jobs)


def test_the_first_waits_and_the_next_is_taken_over(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    first = true(executor)
    assert first._native_id is not None
    second = true(executor)
    assert (second._native_id, second.status.state, second.executor) == (None, S.NEW, executor)
    assert len(fake.calls("sbatch")) == 1
    # Whoever wants to know it does not wait until the time is up.
    assert second.native_id == "102"
    assert second.wait(LONG).state is S.COMPLETED


def test_jobs_that_ask_for_something_else_wait(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    true(executor)
    other = Job(JobSpec("/bin/true"))
    other.spec.attributes.queue_name = "other"
    executor.submit(other)
    assert other._native_id == "102"
    named = Job(JobSpec("/bin/true", name="its own name"))
    executor.submit(named)
    assert named._native_id is None
    assert named.native_id == "103"
    assert '#SBATCH "--job-name=its own name"' in fake.scripts()[-1]


def test_gathering_can_be_left_out(make, fake: FakeSlurm) -> None:
    executor = make(GatheringConfig(enabled=False))
    assert [true(executor)._native_id for _ in range(3)] == ["101", "102", "103"]


def test_after_a_pause_a_job_waits_again(make) -> None:
    executor = make(GatheringConfig(alike=0.0))
    assert [true(executor)._native_id for _ in range(3)] == ["101", "102", "103"]


def test_a_faulty_job_is_refused_at_once(make) -> None:
    executor = make(NEVER)
    true(executor)
    for job, element in (
        (Job(JobSpec("/bin/true", ["\0"])), "arguments[0]"),
        (Job(JobSpec("/bin/true", name="a\nb")), "name"),
        (Job(JobSpec("/bin/true", launcher="nosuch")), "launcher"),
    ):
        with pytest.raises(InvalidJobException) as caught:
            executor.submit(job)
        assert caught.value.element == element
        assert (job.status.state, job.executor, job.native_id) == (S.NEW, None, None)


def test_a_job_is_taken_over_once(make) -> None:
    executor = make(NEVER)
    true(executor)
    job = true(executor)
    with pytest.raises(InvalidStateException):
        executor.submit(job)
    assert job.wait(timedelta(0)) is None
    assert job.native_id == "102"


def test_what_is_changed_afterwards_does_not_count(make, tmp_path: Path) -> None:
    executor = make(GatheringConfig(alike=600, quiet=0.2, longest=600))
    true(executor)
    spec = JobSpec("/bin/sh", ["-c", "", "sh"], environment={}, directory=tmp_path)
    jobs = []
    for number in range(10):
        spec.arguments[1] = f"echo {number} $VALUE"
        spec.environment["VALUE"] = str(number)
        spec.stdout_path = f"out{number}"
        jobs.append(Job(spec))
        executor.submit(jobs[-1])
    spec.arguments[1] = "exit 9"
    assert [job.wait(LONG).exit_code for job in jobs] == [0] * 10
    assert [(tmp_path / f"out{number}").read_text() for number in range(10)] == [f"{n} {n}\n" for n in range(10)]


def submit_from_here_and_there(executor: JobExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs 0 and 1, 2 and 3, ... from a directory and with a variable of their own, each writing down both."""
    jobs = []
    for number in range(6):
        place = tmp_path / f"place{number // 2}"
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        monkeypatch.setenv("PLACE", str(number // 2))
        jobs.append(Job(JobSpec("/bin/sh", ["-c", 'echo "$PWD $PLACE"'], stdout_path=f"out{number}")))
        executor.submit(jobs[-1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACE", "none")
    return jobs


def check_here_and_there(jobs: list[Job], tmp_path: Path) -> None:
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 6
    for number in range(6):
        place = tmp_path / f"place{number // 2}"
        assert (place / f"out{number}").read_text() == f"{place} {number // 2}\n"


def test_a_job_has_the_directory_and_environment_of_its_submit(make, fake: FakeSlurm, tmp_path, monkeypatch) -> None:
    executor = make(NEVER)
    true(executor)
    jobs = submit_from_here_and_there(executor, tmp_path, monkeypatch)
    assert {job._native_id for job in jobs[1:]} == {None}
    executor.list()
    check_here_and_there(jobs, tmp_path)


def test_a_list_has_the_present_directory_and_environment(make, fake: FakeSlurm, tmp_path, monkeypatch) -> None:
    executor = make(NEVER)
    true(executor)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACE", "here")
    jobs = [Job(JobSpec("/bin/sh", ["-c", 'echo "$PWD $PLACE"'], stdout_path=f"out{number}")) for number in range(4)]
    executor.submit(jobs)
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 4
    assert {(tmp_path / f"out{number}").read_text() for number in range(4)} == {f"{tmp_path} here\n"}
    assert len(fake.calls("sbatch")) == 2


def test_a_directory_that_is_gone_is_named(make, tmp_path, monkeypatch) -> None:
    executor = make(GatheringConfig(alike=600, quiet=600, longest=600, persist=0.1))
    true(executor)
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    job = true(executor)
    monkeypatch.chdir(tmp_path)
    place.rmdir()
    assert job.native_id is None
    assert (job.status.state, job.status.message) == (
        S.FAILED,
        f"sbatch cannot be run on this machine: {place}: No such file or directory",
    )


def test_a_late_refusal_is_told_by_the_status(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    told: list[tuple[str, JobStatus]] = []
    executor.set_job_status_callback(lambda job, status: told.append((job.id, status)))
    first = true(executor)
    assert first.wait(LONG).state is S.COMPLETED
    callbacks.flush(LONG.total_seconds())
    told.clear()
    fake.refuse("sbatch: error: the account is empty")
    jobs = [true(executor) for _ in range(5)]
    assert jobs[0].native_id is None  # all are submitted for that
    for job in jobs:
        status = job.wait(LONG)
        assert (status.state, status.exit_code) == (S.FAILED, None)
        assert "the account is empty" in status.message
        assert job.native_id is None
    callbacks.flush(LONG.total_seconds())
    assert sorted((id, status.state) for id, status in told) == sorted((job.id, S.FAILED) for job in jobs)
    # From now on the caller hears of it.
    with pytest.raises(SubmitException, match="the account is empty"):
        true(executor)
    fake.refuse(None)
    assert true(executor).wait(LONG).state is S.COMPLETED


def test_an_array_that_is_refused_goes_one_by_one(make, fake: FakeSlurm) -> None:
    executor = make(GatheringConfig(alike=600, quiet=0.2, longest=600))
    true(executor)
    fake.refuse_arrays("sbatch: error: no arrays here")
    jobs = [true(executor) for _ in range(4)]
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 4
    assert {job.native_id for job in jobs} == {"102", "103", "104", "105"}


@pytest.mark.parametrize(("many", "bad"), [(6, {0}), (6, {5}), (6, {0, 3}), (100, {0}), (100, {31, 32})])
def test_a_refused_job_leaves_the_others_of_its_list_alone(make, fake: FakeSlurm, many: int, bad: set[int]) -> None:
    executor = make(NEVER)
    jobs = [Job(JobSpec("/bin/true", ["FORBIDDEN" if number in bad else ""])) for number in range(many)]
    with pytest.raises(SubmitException, match="a forbidden word") as caught:
        executor.submit(jobs)
    assert not caught.value.transient
    for number, job in enumerate(jobs):
        if number in bad:
            assert (job.status.state, job.executor, job.native_id) == (S.NEW, None, None)
        else:
            assert job.wait(LONG).state is S.COMPLETED
    assert len(fake.calls("sbatch")) <= 45


def test_a_refused_job_leaves_the_others_of_a_loop_alone(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    true(executor)
    jobs = [true(executor, "FORBIDDEN" if number == 2 else "") for number in range(6)]
    assert [job.wait(timedelta(0)) for job in jobs] == [None] * 6
    executor.list()
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 2 + [S.FAILED] + [S.COMPLETED] * 3
    assert "a forbidden word" in jobs[2].status.message


def test_what_all_jobs_are_refused_for_is_not_asked_of_each(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    fake.refuse("sbatch: error: the account is empty")
    with pytest.raises(SubmitException, match="the account is empty"):
        executor.submit([Job(JobSpec("/bin/true")) for _ in range(200)])
    assert len(fake.calls("sbatch")) <= 17


def test_an_array_is_no_longer_than_schedulers_take(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    jobs = [Job(JobSpec("/bin/true", [str(number) * 100_000] * 3)) for number in range(8)]
    executor.submit(jobs)
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 8
    assert len(fake.calls("sbatch")) == 4
    assert all(len(script) <= 1024 * 1024 for script in fake.scripts())


def test_an_outage_is_no_refusal(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    fake.refuse_arrays("sbatch: error: no arrays here", then_away=True)
    jobs = [Job(JobSpec("/bin/true")) for _ in range(40)]
    with pytest.raises(SubmitException, match="Unable to contact") as caught:
        executor.submit(jobs)
    assert caught.value.transient
    fake.away(False)
    executor.submit(jobs)
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 40


@pytest.mark.parametrize("where", ["script", "parse_submit"])
def test_a_defect_tells_nothing_of_the_script(make, monkeypatch, caplog: pytest.LogCaptureFixture, where: str) -> None:
    executor = make(NEVER)

    def broken(*args: object) -> None:
        raise ValueError(f"what a pity: {args!r}")

    monkeypatch.setattr(executor._knowledge, where, broken)
    jobs = [Job(JobSpec("/bin/true", environment={"TOKEN": "s3cr3t"})) for _ in range(5)]
    with pytest.raises(SubmitException, match="ValueError") as caught:
        executor.submit(jobs)
    assert caught.value.transient is (where == "parse_submit")
    assert "a defect in submitting jobs (ValueError)" in caplog.text
    assert "s3cr3t" not in f"{caught.value!r} {caplog.text}"


def test_a_batch_system_that_is_away_is_asked_again(make, fake: FakeSlurm) -> None:
    executor = make(GatheringConfig(alike=600, quiet=0.05, longest=600))
    true(executor)
    fake.away(True)
    jobs = [true(executor) for _ in range(4)]
    while len(fake.calls("sbatch")) < 2:
        assert jobs[0].wait(timedelta(seconds=0.05)) is None
    fake.away(False)
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 4


def test_a_batch_system_that_stays_away_fails_the_jobs(make, fake: FakeSlurm) -> None:
    executor = make(GatheringConfig(alike=600, persist=0.5))
    true(executor)
    fake.away(True)
    status = true(executor).wait(LONG)
    assert status.state is S.FAILED
    assert "Unable to contact slurm controller" in status.message
    with pytest.raises(SubmitException) as caught:
        true(executor)
    assert caught.value.transient


def test_a_defect_fails_the_jobs_and_is_logged(make, monkeypatch, caplog: pytest.LogCaptureFixture) -> None:
    executor = make(NEVER)
    true(executor)
    job = true(executor)

    async def broken(*args: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(executor, "_submit", broken)
    assert job.native_id is None
    assert (job.status.state, job.status.message) == (S.FAILED, "the job could not be submitted: the disk is full")
    assert "a defect in submitting 1 jobs" in caplog.text


def test_cancelling_before_it_was_submitted(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    true(executor)
    jobs = [true(executor) for _ in range(3)]
    for job in jobs[:2]:
        job.cancel()
        assert job.wait(LONG).state is S.CANCELED
        assert job.native_id is None
    assert jobs[2].native_id == "102"
    assert len(fake.calls("sbatch")) == 2


def test_cancelling_while_it_is_submitted_waits_for_the_answer(make, fake: FakeSlurm, tmp_path: Path) -> None:
    executor = make(NEVER)
    true(executor)
    os.mkfifo(tmp_path / "go")
    job = Job(JobSpec("/bin/cat", [str(tmp_path / "go")], name="true"))
    executor.submit(job)
    waiter = threading.Thread(target=lambda: job.native_id)
    waiter.start()
    job.cancel()
    waiter.join()
    if job._native_id is None:
        assert job.status.state is S.CANCELED
    else:
        assert any(job.native_id in call for call in fake.calls("scancel"))
        (tmp_path / "go").write_text("")
        assert job.wait(LONG) is not None


def test_listing_submits_first(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    true(executor)
    job = true(executor)
    executor.list()
    assert job._native_id == "102"


def test_a_full_array_is_not_waited_for(make, fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = make(NEVER)
    monkeypatch.setattr(executor._gathering, "_most", 10)
    true(executor)
    jobs = [true(executor) for _ in range(25)]
    assert [job.wait(LONG).state for job in jobs[:20]] == [S.COMPLETED] * 20
    assert {job._native_id for job in jobs[20:]} == {None}
    executor.list()
    assert [job.wait(LONG).state for job in jobs[20:]] == [S.COMPLETED] * 5


def test_many_threads(make, fake: FakeSlurm) -> None:
    executor = make(GatheringConfig())
    jobs: list[Job] = []
    ids: list[str] = []

    def submit(number: int) -> None:
        for turn in range(20):
            job = true(executor)
            jobs.append(job)
            if (number + turn) % 7 == 0:
                ids.append(job.native_id)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 160
    assert len({job.native_id for job in jobs}) == 160
    assert None not in ids


_PROGRAM = """
import sys
from argosy import Job, JobExecutor, JobExecutorConfig, JobSpec
executor = JobExecutor.get_instance("slurm", config=JobExecutorConfig(work_directory=sys.argv[1]))
for number in range(50):
    executor.submit(Job(JobSpec("/bin/sh", ["-c", f"echo {number} >>{sys.argv[2]}"])))
if sys.argv[3:]:
    raise SystemExit(sys.argv[3])
"""


@pytest.mark.parametrize("words", [[], ["the end"]])
def test_a_program_that_ends_after_its_loop_has_submitted_all(fake: FakeSlurm, tmp_path: Path, words) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM, tmp_path / "work", out, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "the end\n") if words else (0, "")
    end = time.monotonic() + 60
    while not out.exists() or len(out.read_text().split()) < 50:
        assert time.monotonic() < end, "not all jobs have run"
        time.sleep(0.01)
    assert sorted(map(int, out.read_text().split())) == list(range(50))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_a_gathering_of_its_own(make, fake: FakeSlurm) -> None:
    executor = make(NEVER)
    true(executor)
    job = true(executor)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert job.native_id is None  # it is the parent's to submit
            mine = true(executor)
            code = 0 if mine.wait(LONG).state is S.COMPLETED else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert job.native_id == "103"
    assert job.wait(LONG).state is S.COMPLETED


@pytest.mark.slurm
def test_a_loop_on_a_real_slurm(slurm: None, tmp_path: Path) -> None:
    config = BatchExecutorConfig(work_directory=tmp_path, batch=BatchConfig(gathering=PATIENT))
    executor = JobExecutor.get_instance("slurm", config=config)
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"exit {number}"])) for number in range(30)]
    for job in jobs:
        executor.submit(job)
    assert [job.wait(LONG).exit_code for job in jobs] == list(range(30))
    assert len({job.native_id.partition("_")[0] for job in jobs}) <= 10


@pytest.mark.slurm
def test_a_real_slurm_is_told_directory_and_environment(slurm: None, tmp_path: Path, monkeypatch) -> None:
    executor = JobExecutor.get_instance("slurm", config=BatchExecutorConfig(work_directory=tmp_path / "work"))
    true(executor)
    check_here_and_there(submit_from_here_and_there(executor, tmp_path, monkeypatch), tmp_path)
