"""Staging, cleanup and node files through PSI/J's interface: over processes of this machine and over a real Slurm."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy import (
    InvalidJobException,
    Job,
    JobExecutor,
    JobExecutorConfig,
    JobSpec,
    JobState,
    JobStatus,
    ResourceSpecV1,
    StageIn,
    StageOut,
    StageOutFlags,
    StagingMode,
    SubmitException,
)
from argosy.executors import callbacks
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig

pytestmark = pytest.mark.timeout(180)

LONG = timedelta(seconds=90)
S = JobState
F = StageOutFlags


def make(name: str, work: Path, *, report_all_states: bool = False) -> JobExecutor:
    if name == "local":
        config = JobExecutorConfig(work_directory=work, report_all_states=report_all_states)
    else:
        config = BatchExecutorConfig(
            work_directory=work, report_all_states=report_all_states, batch=BatchConfig(poll=1.0)
        )
    return JobExecutor.get_instance(name, config=config)


@pytest.fixture(params=["local", pytest.param("slurm", marks=pytest.mark.slurm)])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    return str(request.param)


@pytest.fixture
def executor(kind: str, tmp_path: Path) -> Iterator[JobExecutor]:
    return make(kind, tmp_path / "work")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "place"
    path.mkdir()
    return path


def run(executor: JobExecutor, spec: JobSpec) -> tuple[JobStatus, list[JobStatus]]:
    """The final status, and all that were told."""
    told: list[JobStatus] = []
    job = Job(spec)
    job.set_job_status_callback(lambda job, status: told.append(status))
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None, job
    callbacks.flush(LONG.total_seconds())
    return status, told


def states(told: list[JobStatus]) -> list[JobState]:
    return [status.state for status in told]


ALL = [S.QUEUED, S.STAGE_IN, S.ACTIVE, S.STAGE_OUT, S.CLEANUP, S.COMPLETED]


def test_in_out_and_away(executor: JobExecutor, place: Path, tmp_path: Path) -> None:
    (tmp_path / "a 'source'").write_text("data")
    spec = JobSpec(
        "/bin/sh",
        ["-c", "cat; cat sub/in"],
        directory=place,
        stdin_path="sub/in",
        stdout_path="out",
        stage_in={StageIn(tmp_path / "a 'source'", "sub/in")},
        stage_out={StageOut("out", tmp_path / "far" / "away")},
        cleanup={"sub", Path("out")},
    )
    status, told = run(executor, spec)
    assert (status.state, status.exit_code, status.message) == (S.COMPLETED, 0, None)
    assert states(told) == ALL
    times = [status.time for status in told[1:]]  # QUEUED is by this machine's clock, as of submit's return
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    assert (tmp_path / "far" / "away").read_text() == "datadata"
    assert list(place.iterdir()) == []


def test_a_plain_job_reports_three_states(executor: JobExecutor) -> None:
    assert states(run(executor, JobSpec("/bin/true"))[1]) == [S.QUEUED, S.ACTIVE, S.COMPLETED]


def test_all_states_where_that_is_asked_for(kind: str, tmp_path: Path) -> None:
    executor = make(kind, tmp_path / "work", report_all_states=True)
    assert states(run(executor, JobSpec("/bin/true"))[1]) == ALL


def test_a_stage_in_that_fails(executor: JobExecutor, place: Path) -> None:
    spec = JobSpec("/bin/touch", ["ran"], directory=place, stage_in=[StageIn("/no/such", "x")])
    status, told = run(executor, spec)
    assert (status.state, status.exit_code) == (S.FAILED, None)
    assert status.message == "stage_in[0] (/no/such to x) failed: cp: cannot stat '/no/such': No such file or directory"
    assert states(told) == [S.QUEUED, S.STAGE_IN, S.FAILED]
    assert list(place.iterdir()) == []


def test_a_stage_out_that_fails(executor: JobExecutor, place: Path) -> None:
    status, told = run(executor, JobSpec("/bin/true", directory=place, stage_out=[StageOut("no such", "x")]))
    assert (status.state, status.exit_code) == (S.FAILED, 0)
    assert "stage_out[0]" in status.message
    assert "cp: cannot stat" in status.message
    assert states(told) == [S.QUEUED, S.STAGE_IN, S.ACTIVE, S.STAGE_OUT, S.FAILED]


@pytest.mark.parametrize("outcome", ["success", "error", "cancel"])
def test_flags(executor: JobExecutor, place: Path, tmp_path: Path, outcome: str) -> None:
    flags = {"ON_SUCCESS": F.ON_SUCCESS, "ON_ERROR": F.ON_ERROR, "ON_CANCEL": F.ON_CANCEL, "NONE": F.NONE}
    outs = [StageOut("made", tmp_path / "far" / name, flag) for name, flag in flags.items()]
    outs.append(StageOut("missing", tmp_path / "far" / "missing", F.IF_PRESENT))
    program = {"success": "true", "error": "exit 3", "cancel": "exec sleep 300"}[outcome]
    spec = JobSpec(
        "/bin/sh",
        ["-c", f": > made; {program}"],
        directory=place,
        stage_out=outs,
        cleanup=["made"],
        cleanup_flags=F.ON_SUCCESS | F.ON_CANCEL,
    )
    job = Job(spec)
    executor.submit(job)
    assert job.wait(LONG, S.ACTIVE) is not None
    if outcome == "cancel":
        while not (place / "made").exists():  # the test's time limit bounds this
            assert job.wait(timedelta(seconds=0.05)) is None
        job.cancel()
    status = job.wait(LONG)
    assert status is not None
    assert status.state is {"success": S.COMPLETED, "error": S.FAILED, "cancel": S.CANCELED}[outcome]
    assert {path.name for path in (tmp_path / "far").iterdir()} == {f"ON_{outcome.upper()}", "NONE"}
    assert (place / "made").exists() is (outcome == "error")


def test_what_the_library_cannot_stage_is_refused(executor: JobExecutor) -> None:
    job = Job(JobSpec("/bin/true", stage_in=[StageIn("https://host/x", "x")]))
    with pytest.raises(InvalidJobException, match="submit the job to an Argosy service") as caught:
        executor.submit(job)
    assert caught.value.element == "stage_in[0].source"
    assert (job.status.state, job.executor) == (S.NEW, None)


def test_many_that_stage(executor: JobExecutor, place: Path, tmp_path: Path) -> None:
    jobs = []
    for number in range(6):
        (tmp_path / f"in.{number}").write_text(f"{number}")
        spec = JobSpec("/bin/cat", [f"in.{number}"], directory=place, stdout_path=f"out.{number}")
        spec.stage_in = [StageIn(tmp_path / f"in.{number}", f"in.{number}", StagingMode.MOVE)]
        spec.stage_out = [StageOut(f"out.{number}", tmp_path / "far" / str(number))]
        jobs.append(Job(spec))
    executor.submit(jobs)
    assert [job.wait(LONG).state for job in jobs] == [S.COMPLETED] * 6
    assert [(tmp_path / "far" / str(number)).read_text() for number in range(6)] == list("012345")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("'\"\\\n\r\t $`!&|;<>(){}[]*?~#%=-^:éa"), min_size=1, max_size=12))
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    executor = make("local", tmp_path / "work")
    directory = tmp_path / ("in " + name)
    directory.mkdir(exist_ok=True)
    (tmp_path / name).write_text("data")
    spec = JobSpec("/bin/true", directory=directory, stage_in=[StageIn(tmp_path / name, name)])
    spec.stage_out = [StageOut(name, tmp_path / "far" / name)]
    spec.cleanup = [name]
    status, _ = run(executor, spec)
    assert (status.state, status.message) == (S.COMPLETED, None)
    assert (tmp_path / "far" / name).read_text() == "data"
    assert list(directory.iterdir()) == []


def test_a_local_job_leaves_nothing_in_the_spool(tmp_path: Path) -> None:
    executor = make("local", tmp_path / "work")
    run(executor, JobSpec("/bin/true", directory=tmp_path, cleanup=["nothing"]))
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file()] == []
    assert list((tmp_path / "work").rglob("claims/*")) == []


def test_a_local_job_that_ignores_its_cancelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argosy.executors.local.executor._GRACE", 0.5)
    script = "trap '' TERM; : > ready; while :; do sleep 0.1; done"
    job = Job(JobSpec("/bin/sh", ["-c", script], directory=tmp_path, stage_out=[StageOut("ready", "x", F.ON_CANCEL)]))
    make("local", tmp_path / "work").submit(job)
    while not (tmp_path / "ready").exists():
        assert job.wait(timedelta(seconds=0.05)) is None
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED


@pytest.mark.parametrize("count", [1, 3])
def test_a_node_file_of_one_host(executor: JobExecutor, place: Path, count: int) -> None:
    spec = JobSpec(
        "/bin/sh",
        ["-c", 'cat "$PSIJ_NODEFILE" "$0"', "${PSIJ_NODEFILE}"],
        directory=place,
        stdout_path="out",
        resources=ResourceSpecV1(node_count=1, process_count=count),
    )
    assert run(executor, spec)[0].exit_code == 0
    lines = (place / "out").read_text().splitlines()
    assert len(lines) == 2 * count
    assert len(set(lines)) == 1
    if executor.name == "local":
        assert lines[0] == socket.gethostname()


@pytest.mark.slurm
def test_a_node_file_of_several_hosts(slurm: None, place: Path, tmp_path: Path) -> None:
    executor = make("slurm", tmp_path / "work")
    resources = ResourceSpecV1(node_count=2, processes_per_node=2)
    spec = JobSpec("/bin/sh", ["-c", 'cat "$PSIJ_NODEFILE"'], directory=place, stdout_path="out", resources=resources)
    status, _ = run(executor, spec)
    lines = (place / "out").read_text().split()
    assert lines == [host for host in status.metadata["hosts"] for _ in range(2)]
    assert len(set(lines)) == 2


def test_the_spool_is_the_users_own(tmp_path: Path) -> None:
    work = tmp_path / "work"
    before = os.umask(0o022)
    try:
        assert run(make("local", work), JobSpec("true", cleanup=["x"], directory=tmp_path))[0].state is S.COMPLETED
    finally:
        os.umask(before)
    modes = {str(path): path.stat().st_mode & 0o777 for path in (work, *work.rglob("*")) if path.is_dir()}
    assert len(modes) > 3
    assert set(modes.values()) == {0o700}, modes


def test_a_spool_that_cannot_be_made_leaves_the_job_as_it_was(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.write_text("a file")
    executor = make("local", work)
    job = Job(JobSpec("true", cleanup=["x"], directory=tmp_path))
    with pytest.raises(SubmitException, match="Not a directory") as caught:
        executor.submit(job)
    assert caught.value.transient
    assert (job.status.state, job.executor) == (S.NEW, None)
    work.unlink()
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED
