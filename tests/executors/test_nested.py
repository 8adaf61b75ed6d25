"""Many small jobs inside an allocation: in a real Slurm job, and on this machine alone."""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import InvalidJobException, Job, JobExecutor, JobSpec, JobState, ResourceSpecV1, StageOut, SubmitException
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.local.child import NoRoom, Prepared, Started, start
from argosy.executors.nested import executor as nested
from argosy.executors.nested.packing import Node, Pool
from argosy.executors.nested.steps import check_step, environment, need_of, step_spec
from tests.waiting import until

PROGRAM = Path(__file__).with_name("nested_program.py")
LONG = timedelta(seconds=90)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in any allocation."""
    for name in list(os.environ):
        if name.startswith(("SLURM_", "FLUX_")):
            monkeypatch.delenv(name)


@pytest.mark.slurm
@pytest.mark.timeout(180)
def test_in_a_slurm_job_of_two_nodes(slurm: None, tmp_path: Path) -> None:
    executor = JobExecutor.get_instance(
        "slurm", config=BatchExecutorConfig(work_directory=tmp_path / "work", batch=BatchConfig(poll=1.0))
    )
    job = Job(
        JobSpec(
            sys.executable,
            [str(PROGRAM), str(tmp_path)],
            directory=tmp_path,
            stdout_path="stdout",
            stderr_path="stderr",
            resources=ResourceSpecV1(node_count=2, processes_per_node=2, memory=512 * 1024 * 1024),
        )
    )
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None
    assert status.state is JobState.COMPLETED, (tmp_path / "stderr").read_text()
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["where"] == f"the Slurm job {job.native_id}"
    assert seen["codes"] == [number % 3 for number in range(60)]
    assert [text.split() for text in seen["outputs"]] == [
        [hosts[0], str(number)] for number, hosts in enumerate(seen["hosts"])
    ]
    assert len({hosts[0] for hosts in seen["hosts"]}) == 2
    assert seen["in order"]
    assert 1 < seen["most"] <= 4
    assert seen["too large"] == "resources.cpu_cores_per_process"
    assert seen["waiting"] == "QUEUED"
    assert seen["never"] == ["CANCELED", None]
    assert seen["cancelled"][0] == seen["attached"][0] == "CANCELED"
    assert seen["behind"] == ["COMPLETED", 0]
    assert seen["left"] == []
    assert not seen["came after"]
    ends = seen["ends"]
    assert ends["no program"][:2] == ["FAILED", 127]
    assert ends["signal"][:2] == ["FAILED", 137]
    assert ends["no step"][0] == "FAILED"
    assert "srun could not start the step" in ends["no step"][2]
    assert ends["copies"][:2] == ["COMPLETED", 0]
    assert sorted(seen["copies"].splitlines()) == ["1 ${HOME} a 'b' c", "2 ${HOME} a 'b' c"]
    assert ends["empty"][:2] == ["COMPLETED", 0]
    assert "SLURM_JOB_ID" in seen["environment"]
    assert not {"PATH", "HOME", "SLURM_EXIT_ERROR"} & set(seen["environment"])


def test_on_a_plain_machine_its_cores_are_the_slots(
    alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    executor = JobExecutor.get_instance("nested")
    running, most, lock = 0, 0, threading.Lock()

    def told(job: Job, status) -> None:
        nonlocal running, most
        with lock:
            if status.state is JobState.ACTIVE:
                running += 1
                most = max(most, running)
            elif status.final:
                running -= 1

    executor.set_job_status_callback(told)
    os.mkfifo(tmp_path / "go")
    script = ["-c", "read line <go; exit $1", "sh"]
    jobs = [Job(JobSpec("/bin/sh", [*script, str(number)], directory=tmp_path)) for number in range(12)]
    executor.submit(jobs)
    until(lambda: most == 3)
    assert len(executor.list()) == 12
    go = os.open(tmp_path / "go", os.O_RDWR)  # until all have read their line
    os.write(go, b"\n" * len(jobs))
    for number, job in enumerate(jobs):
        status = job.wait(LONG)
        assert status is not None
        assert status.exit_code == number
    os.close(go)
    assert most == 3
    assert executor.list() == []
    with pytest.raises(InvalidJobException) as caught:
        executor.submit(Job(JobSpec("/bin/true", resources=ResourceSpecV1(process_count=4))))
    assert caught.value.element == "resources.process_count"


def test_a_cancelled_job_ends_with_all_its_processes_and_the_next_starts(
    alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    executor = JobExecutor.get_instance("nested", url="local:")
    first = Job(JobSpec("/bin/sh", ["-c", "sleep 1000 & echo $! > pid; wait"], directory=tmp_path))
    waits = Job(JobSpec("/bin/touch", [str(tmp_path / "waited")]))
    executor.submit([first, waits])
    first.wait(LONG, target_states=JobState.ACTIVE)
    assert waits.status.state is JobState.QUEUED
    first.cancel()
    status = first.wait(LONG)
    assert status is not None
    assert status.state is JobState.CANCELED
    status = waits.wait(LONG)
    assert status is not None
    assert status.state is JobState.COMPLETED
    if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text().strip()):
        until(lambda: not lives(pid))


def lives(pid: str) -> bool:
    """Whether there is such a process, be it killed and not gone yet; one that nobody has waited for has ended."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_cannot_be_started_leaves_its_share(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    executor = JobExecutor.get_instance("nested")
    jobs = [Job(JobSpec("/no/such/program")), Job(JobSpec("/bin/true"))]
    executor.submit(jobs)
    ends = [job.wait(LONG) for job in jobs]
    assert [end.exit_code for end in ends if end] == [127, 0]


def test_a_job_for_which_the_system_has_no_room_waits_for_it(
    alone: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(nested, "_LOOK_AGAIN", 0.01)
    refusals: list[str] = []
    full = threading.Event()
    full.set()

    def no_room(prepared: Prepared) -> Started:
        if full.is_set() and prepared.argv[0] == "/bin/true":
            refusals.append(prepared.argv[0])
            raise NoRoom("Too many open files", 126)
        return start(prepared)

    monkeypatch.setattr(nested, "start", no_room)
    executor = JobExecutor.get_instance("nested", url="local:")
    os.mkfifo(tmp_path / "go")
    runs = Job(JobSpec("/bin/cat", ["go"], directory=tmp_path))
    waits, never = Job(JobSpec("/bin/true")), Job(JobSpec("/bin/true"))
    executor.submit([runs, waits, never])
    until(lambda: len(refusals) > 3)  # looked again: the room may be made by others than its own jobs
    assert waits.status.state is JobState.QUEUED
    never.cancel()
    status = never.wait(LONG)
    assert status is not None
    assert status.state is JobState.CANCELED
    full.clear()
    (tmp_path / "go").write_text("")
    for job in (waits, runs):
        status = job.wait(LONG)
        assert status is not None
        assert status.state is JobState.COMPLETED


def test_no_room_that_does_not_come_ends_a_job_in_the_end(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "_LOOK_AGAIN", 0.01)
    monkeypatch.setattr(nested, "_PATIENCE", 0.1)

    def no_room(prepared: Prepared) -> Started:
        raise NoRoom("Too many open files", 126)

    monkeypatch.setattr(nested, "start", no_room)
    job = Job(JobSpec("/bin/true"))
    JobExecutor.get_instance("nested", url="local:").submit(job)
    status = job.wait(LONG)
    assert status is not None
    assert (status.state, status.exit_code, status.message) == (JobState.FAILED, 126, "Too many open files")


def test_a_job_runs_where_and_with_what_it_was_submitted(
    alone: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    executor = JobExecutor.get_instance("nested", url="local:")
    os.mkfifo(tmp_path / "go")
    executor.submit(Job(JobSpec("/bin/cat", ["go"], directory=tmp_path)))  # those behind it wait
    told = ["-c", 'printf "%s %s" "$WHICH" "${PWD##*/}" > told']
    jobs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv("WHICH", name)
        jobs.append(Job(JobSpec("/bin/sh", told)))
        executor.submit(jobs[-1])
    monkeypatch.chdir("/")
    monkeypatch.delenv("WHICH")
    (tmp_path / "go").write_text("")
    for job in jobs:
        job.wait(LONG)
    assert [(tmp_path / name / "told").read_text() for name in ("a", "b")] == ["a a", "b b"]


def test_what_it_does_not_do_is_refused(alone: None) -> None:
    executor = JobExecutor.get_instance("nested")
    with pytest.raises(InvalidJobException) as caught:
        executor.submit(Job(JobSpec("/bin/true", stage_out=[StageOut("a", "b")])))
    assert caught.value.element == "stage_out"
    stranger = Job()
    stranger.native_id = "no-such-job"
    with pytest.raises(SubmitException, match="no-such-job"):
        executor.cancel(stranger)


def test_attaching_to_what_is_not_there(alone: None) -> None:
    job = Job()
    JobExecutor.get_instance("nested").attach(job, "no-such-job")
    assert job.status.state is JobState.FAILED


@pytest.mark.parametrize(
    ("url", "why"), [("slurm:", "not in a Slurm job"), ("flux:", "FLUX_URI"), ("moon:", "flux:, slurm: and local:")]
)
def test_what_is_not_there_is_said(alone: None, url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        JobExecutor.get_instance("nested", url=url)


ENVIRON = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "PATH": "/bin", "SLURM_MEM_PER_CPU": "10"}


def options(spec: JobSpec, environ: dict[str, str] = ENVIRON, **node: int) -> list[str]:
    need = need_of(spec)
    check_step(spec, need)
    placement = Pool([Node("a", 4, **node), Node("b", 4, **node)]).take(need)
    assert placement is not None
    arguments = step_spec(spec, spec.executable or "", placement, "/bin/srun", environ, "tag").arguments
    assert arguments is not None
    return arguments[: arguments.index("--")]


def test_the_step_of_one_process() -> None:
    spec = JobSpec("x", resources=ResourceSpecV1(process_count=2, cpu_cores_per_process=2))
    assert options(spec) == [
        *("--exact", "--export=ALL", "--input=0", "--job-name=tag", "--jobid=7", "--nodes=1", "--ntasks=1"),
        *("--cpus-per-task=4", "--nodelist=a"),
    ]


def test_the_step_of_an_mpi_program() -> None:
    spec = JobSpec("x", launcher="srun", resources=ResourceSpecV1(node_count=2, processes_per_node=2, memory=2048))
    spec.attributes.set_custom_attribute("srun.mpi", "pmix")
    words = options(spec, memory=1 << 30)
    assert words[5:] == [
        *("--nodes=2", "--ntasks=4", "--cpus-per-task=1", "--nodelist=a,b", "--ntasks-per-node=2", "--mem=1M"),
        "--mpi=pmix",
    ]


def test_gpus_of_a_step() -> None:
    there = ENVIRON | {"SLURM_JOB_GPUS": "0,1"}
    assert options(JobSpec("x"), there, gpus=2)[-1] == "--gres=none"
    spec = JobSpec("x", resources=ResourceSpecV1(gpu_cores_per_process=1))
    assert options(spec, there, gpus=2)[-1] == "--gpus-per-task=1"


def test_inside_another_step_cores_are_shared_with_it() -> None:
    assert "--overlap" in options(JobSpec("x"), ENVIRON | {"SLURM_STEP_ID": "0"})


@pytest.mark.parametrize(
    ("spec", "element"),
    [
        (JobSpec("x", launcher="mpirun"), "launcher"),
        (JobSpec("x", resources=ResourceSpecV1(node_count=2)), "launcher"),
        (JobSpec("-x"), "executable"),
    ],
)
def test_what_cannot_be_a_step(spec: JobSpec, element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        check_step(spec, need_of(spec))
    assert caught.value.element == element


def test_what_would_change_a_step_is_not_inherited() -> None:
    assert environment(ENVIRON) == {"SLURM_JOB_ID": "7", "PATH": "/bin", "SLURM_EXIT_ERROR": "248"}
