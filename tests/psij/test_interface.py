"""Statements of the PSI/J specification about its classes, section by section, as far as a program can see them.

States, callbacks and waiting are in test_status.py, the examples in test_examples.py.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from packaging.version import Version

import argosy.psij as psij
from argosy.executors import callbacks
from argosy.psij.executors.batch.batch_scheduler_executor import BatchSchedulerExecutorConfig

LONG = timedelta(seconds=60)
S = psij.JobState


@pytest.fixture(params=["local", pytest.param("slurm", marks=pytest.mark.slurm)])
def jex(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[psij.JobExecutor]:
    config = None
    if request.param == "slurm":
        request.getfixturevalue("slurm")
        config = BatchSchedulerExecutorConfig(work_directory=tmp_path / "work", queue_polling_interval=1)
    return psij.JobExecutor.get_instance(request.param, config=config)


def test_name_and_version(jex: psij.JobExecutor) -> None:
    """JobExecutor.getName, getVersion."""
    assert jex.name in ("local", "slurm")
    assert isinstance(jex.version, Version)
    assert str(jex) == f"JobExecutor[{jex.name}, {jex.version}]"
    assert psij.JobExecutor.get_instance(jex.name.upper(), "> 0, < 99").name == jex.name


def test_submit_sets_what_it_says(jex: psij.JobExecutor) -> None:
    """Job.getExecutor: bound when submitted; Job.getNativeId: available once QUEUED."""
    job = psij.Job(psij.JobSpec("/bin/true"))
    assert (job.executor, job.native_id, job.status.state) == (None, None, S.NEW)
    jex.submit(job)
    assert job.executor is jex
    assert job.native_id
    assert job.wait(LONG).state is S.COMPLETED
    assert job.spec.resources is not None


def test_a_failed_submit_changes_nothing_and_tells_nobody(jex: psij.JobExecutor) -> None:
    """JobExecutor.submit: "the job status remains unchanged, and no status notifications ... will be fired"."""
    told: list[object] = []
    jex.set_job_status_callback(lambda job, status: told.append(status))
    job = psij.Job(psij.JobSpec("/bin/true", arguments="not a list"))
    job.set_job_status_callback(lambda job, status: told.append(status))
    with pytest.raises(psij.InvalidJobException) as caught:
        jex.submit(job)
    assert caught.value.message == str(caught.value)
    assert "arguments" in caught.value.message
    assert caught.value.exception is None
    assert (job.status.state, job.executor, job.native_id, told) == (S.NEW, None, None, [])


def test_submitting_twice(jex: psij.JobExecutor) -> None:
    """InvalidStateException, "such as when a Job is submitted multiple times"; psij-python raises the other one."""
    job = psij.Job(psij.JobSpec("/bin/true"))
    jex.submit(job)
    for kind in (psij.InvalidStateException, psij.InvalidJobException):
        with pytest.raises(kind):
            jex.submit(job)
    assert job.wait(LONG).state is S.COMPLETED


def test_cancel(jex: psij.JobExecutor) -> None:
    """Job.cancel: by the executor that the job was submitted to; what has ended stays so."""
    job = psij.Job(psij.JobSpec("/bin/sleep", ["60"]))
    with pytest.raises(psij.SubmitException):
        job.cancel()
    with pytest.raises(psij.SubmitException):
        jex.cancel(job)
    jex.submit(job)
    with pytest.raises(psij.SubmitException):
        psij.JobExecutor.get_instance("local").cancel(job)
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED
    job.cancel()
    jex.cancel(job)
    assert job.status.state is S.CANCELED


def test_list_and_attach(jex: psij.JobExecutor) -> None:
    """JobExecutor.list: IDs of jobs that are not final MUST be returned, and can be attached to.

    JobExecutor.attach: NEW jobs only; status and specification of the job that is passed are discarded.
    """
    job = psij.Job(psij.JobSpec("/bin/sleep", ["60"]))
    jex.submit(job)
    assert job.native_id in jex.list()
    other = psij.Job(psij.JobSpec("/bin/false", resources=psij.ResourceSpecV1(node_count=3)))
    states: list[psij.JobState] = []
    other.set_job_status_callback(lambda job, status: states.append(status.state))
    jex.attach(other, job.native_id)
    assert other.wait(LONG, S.QUEUED).state in (S.QUEUED, S.ACTIVE)
    assert (other.executor, other.native_id, other.spec) == (jex, job.native_id, psij.JobSpec())
    callbacks.flush(LONG.total_seconds())
    assert states[0] is S.QUEUED
    with pytest.raises(psij.InvalidJobException):
        jex.attach(other, job.native_id)
    job.cancel()
    assert other.wait(LONG).final
    assert job.wait(LONG).state is S.CANCELED


def test_attach_to_what_is_not_there(tmp_path: Path) -> None:
    """JobExecutor.attach: "the job will be moved into the FAILED state"."""
    job = psij.Job()
    psij.JobExecutor.get_instance("local").attach(job, "4194305")
    assert job.wait(LONG).state is S.FAILED


def test_exit_codes_messages_and_times(jex: psij.JobExecutor) -> None:
    """JobStatus: the exit code of what has exited, null otherwise; the time at which a state was entered."""
    before = time.time()
    seen: list[psij.JobStatus] = []
    job = psij.Job(psij.JobSpec("/bin/sh", ["-c", "exit 9"]))
    job.set_job_status_callback(lambda job, status: seen.append(status))
    jex.submit(job)
    assert job.wait(LONG).exit_code == 9
    callbacks.flush(LONG.total_seconds())
    assert [status.exit_code for status in seen[:-1]] == [None] * (len(seen) - 1)
    assert all(before - 2 <= status.time <= time.time() + 2 for status in seen)
    assert seen[-1].state is S.FAILED
    assert seen[-1].final


def test_a_directory_in_the_home_directory(
    jex: psij.JobExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JobSpec.setDirectory: absolute, or starting with "~/"."""
    home = tmp_path / "home"
    (home / "in it").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    config = BatchSchedulerExecutorConfig(work_directory=tmp_path / "work", queue_polling_interval=1)
    executor = psij.JobExecutor.get_instance(jex.name, config=config)
    job = psij.Job(
        psij.JobSpec("/bin/pwd", directory="~/in it", stdout_path=tmp_path / "out", environment={"HOME": str(home)})
    )
    executor.submit(job)
    assert job.wait(LONG).exit_code == 0
    assert (tmp_path / "out").read_text().strip() == str(home / "in it")
    with pytest.raises(psij.InvalidJobException, match="directory"):
        executor.submit(psij.Job(psij.JobSpec("/bin/true", directory="relative")))


def test_an_executable_relative_to_the_directory(jex: psij.JobExecutor, tmp_path: Path) -> None:
    """JobSpec.setExecutable: a Path; "relative to the job directory"."""
    program = tmp_path / "bin" / "mine"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$1" > said\n')
    program.chmod(0o755)
    job = psij.Job(psij.JobSpec(Path("bin/mine"), [Path("/a b")], directory=tmp_path))
    jex.submit(job)
    assert job.wait(LONG).exit_code == 0
    assert (tmp_path / "said").read_text() == "/a b\n"


def test_arguments_and_environment_are_the_callers_own() -> None:
    """JobSpec.setArguments, setEnvironment: "does not create a copy"; null where never set."""
    spec = psij.JobSpec()
    assert (spec.arguments, spec.environment, spec.directory, spec.executable) == (None, None, None, None)
    arguments: list[str] = []
    spec.arguments = arguments
    spec.arguments.append("a")
    assert arguments == ["a"]
    environment: dict[str, str] = {}
    spec.environment = environment
    environment["A"] = "1"
    assert spec.environment == {"A": "1"}
    assert spec.inherit_environment is True


def test_substitution_extends_path_lists(jex: psij.JobExecutor, tmp_path: Path) -> None:
    """JobSpec.setEnvironment: "useful for extending path lists"; the arguments are subject to it too."""
    spec = psij.JobSpec(
        "/bin/sh",
        ["-c", 'echo "$PATH|$1"', "sh", "${MINE}"],
        environment={"PATH": "/mine:${PATH}", "MINE": "m"},
        stdout_path=tmp_path / "out",
    )
    job = psij.Job(spec)
    jex.submit(job)
    assert job.wait(LONG).exit_code == 0
    path, _, mine = (tmp_path / "out").read_text().strip().partition("|")
    assert path.startswith("/mine:/")
    assert mine == "m"


def test_the_name_is_told_to_the_batch_system(jex: psij.JobExecutor, tmp_path: Path) -> None:
    """JobSpec.setName: "the job should appear with this name in the output of a potential qstat"."""
    job = psij.Job(psij.JobSpec("/bin/sh", ["-c", "echo $SLURM_JOB_NAME"], name="a name", stdout_path=tmp_path / "out"))
    jex.submit(job)
    assert job.wait(LONG).exit_code == 0
    assert (tmp_path / "out").read_text().strip() == ("a name" if jex.name == "slurm" else "")


def test_launchers(jex: psij.JobExecutor) -> None:
    """JobSpec.setLauncher: at least single, multiple and mpirun, and srun beside Slurm."""
    assert {"single", "multiple", "mpirun", "srun"} <= psij.Launcher.get_launcher_names()
    assert psij.Launcher.DEFAULT_LAUNCHER_NAME == "single"
    job = psij.Job(psij.JobSpec("/bin/true", launcher="nosuch"))
    with pytest.raises(psij.InvalidJobException, match="nosuch"):
        jex.submit(job)


def test_computed_resources_follow_the_values() -> None:
    """ResourceSpecV1."""
    spec = psij.ResourceSpecV1()
    assert (spec.version, spec.exclusive_node_use) == (1, False)
    assert isinstance(psij.ResourceSpec.get_instance(1), psij.ResourceSpecV1)
    for name in ("node_count", "process_count", "processes_per_node", "cpu_cores_per_process", "gpu_cores_per_process"):
        assert getattr(spec, name) is None
    spec.node_count = 4
    assert (spec.computed_node_count, spec.computed_process_count, spec.computed_processes_per_node) == (4, 4, 1)
    spec.processes_per_node = 2
    assert spec.computed_process_count == 8
    spec.memory = 1025
    assert spec.memory_kb == 2
    assert spec != psij.ResourceSpecV1(node_count=4, processes_per_node=2)
    with pytest.raises(psij.InvalidJobException, match="process_count is 9"):
        psij.ResourceSpecV1(node_count=4, processes_per_node=2, process_count=9)
    spec.process_count = 9
    with pytest.raises(psij.InvalidJobException, match="process_count is 9"):
        psij.JobExecutor.get_instance("local").submit(psij.Job(psij.JobSpec("/bin/true", resources=spec)))


def test_attributes() -> None:
    """JobAttributes: ten minutes where nothing is said; anything under any name among the custom ones."""
    attributes = psij.JobAttributes()
    assert attributes.duration == timedelta(minutes=10)
    assert attributes.custom_attributes is None
    attributes.set_custom_attribute("duration", 7)
    attributes.set_custom_attribute("note", object)
    assert attributes.get_custom_attribute("duration") == 7
    attributes.check()
    attributes.project_name = "p"
    assert attributes.account == "p"
    assert psij.JobAttributes(project_name="p") == psij.JobAttributes(account="p")
    assert psij.JobSpec().attributes == psij.JobAttributes()
    assert psij.JobSpec().attributes is not psij.JobSpec().attributes
    with pytest.raises(psij.InvalidJobException):
        psij.JobAttributes.parse_walltime("soon")


def test_exceptions() -> None:
    """SubmitException.isTransient, getMessage, getException."""
    cause = OSError("x")
    error = psij.SubmitException("m", cause, transient=True)
    assert (error.message, error.exception, error.transient, str(error)) == ("m", cause, True, "m")
    assert psij.SubmitException("m").transient is False
    assert issubclass(psij.UnreachableStateException, psij.InvalidStateException)


def test_what_an_executor_cannot_do_is_said(tmp_path: Path) -> None:
    executor = psij.JobExecutor.get_instance("local")
    job = psij.Job(psij.JobSpec("/bin/sleep", ["60"]))
    executor.submit(job)
    with pytest.raises(psij.InvalidStateException, match="hold"):
        executor.hold(job)
    executor.suspend(job)
    executor.resume(job)
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED


@pytest.mark.slurm
def test_jobs_of_others_by_their_native_id_alone(slurm: None, tmp_path: Path) -> None:
    """As Open OnDemand's adapter calls it: info, hold, release and cancel of a job that is only known by its id."""
    executor = psij.JobExecutor.get_instance("slurm", config=BatchSchedulerExecutorConfig(work_directory=tmp_path))
    job = psij.Job(psij.JobSpec("/bin/true", name="mine"))
    job.spec.attributes.set_custom_attribute("slurm.begin", "now+1hour")
    executor.submit(job)
    other = psij.Job()
    other._native_id = job.native_id
    again = psij.JobExecutor.get_instance("slurm", config=BatchSchedulerExecutorConfig(work_directory=tmp_path))
    (info,) = again.info([other])
    assert (info.native_id, info._status.state) == (job.native_id, S.QUEUED)
    assert info.current_info.submission_time is not None
    assert info.current_info.wall_time == 0
    assert math.isfinite(info.spec.attributes.duration.total_seconds())
    assert job.native_id in {one.native_id for one in again.info()}
    again.hold(other)
    assert "Held" in (again.info([other])[0].current_info.reason or "")
    again.release(other)
    again.cancel(other)
    assert job.wait(LONG).state is S.CANCELED
    with pytest.raises(ValueError, match="only your own jobs"):
        again.info(owner=f"nobody-{socket.gethostname()}")
