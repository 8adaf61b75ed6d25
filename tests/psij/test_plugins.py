"""Plug-ins of others: found by descriptors, run over the base classes of argosy.psij."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import argosy.psij as psij
from argosy import InvalidJobException, Job, JobExecutor, JobSpec, JobState, ResourceSpecV1, SubmitException
from argosy.executors import callbacks
from argosy.psij.executors.batch.script_generator import TemplatedScriptGenerator
from argosy.transport.local import LocalTransport
from tests.waiting import until, until_async

LONG = timedelta(seconds=60)
S = JobState
Make = Callable[..., JobExecutor]


def run(executor: JobExecutor, spec: JobSpec) -> psij.JobStatus:
    job = Job(spec)
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None, job
    return status


def test_descriptors_are_found_and_versions_chosen(toy: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert {"toy", "toi", "plain", "local", "slurm"} <= psij.JobExecutor.get_executor_names()
    assert {"loud", "single", "mpirun"} <= psij.Launcher.get_launcher_names()
    assert "odd_descriptors.py cannot be read: ModuleNotFoundError" in caplog.text
    assert "'not a descriptor' is no descriptor" in caplog.text
    executor = psij.JobExecutor.get_instance("TOY")
    assert (executor.name, str(executor.version)) == ("toy", "1.2.0")
    assert str(executor) == "JobExecutor[toy, 1.2.0]"
    assert str(psij.JobExecutor.get_instance("toi", ">= 1").version) == "1.2.0"
    assert str(psij.JobExecutor.get_instance("toy", "( < 1.0, != 0.5)").version) == "0.9"
    with pytest.raises(ValueError, match="No such executor: toy >= 2"):
        psij.JobExecutor.get_instance("toy", ">= 2")


def test_finding_descriptors_leaves_the_name_psij_alone(toy: Path) -> None:
    before = sys.modules.get("psij")
    psij.JobExecutor.get_executor_names()
    assert sys.modules.get("psij") is before


@pytest.mark.parametrize(("name", "words"), [("broken", "a library of mine is missing"), ("nothere", "NotThere")])
def test_what_cannot_be_loaded_is_told_to_whoever_asks(toy: Path, name: str, words: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=f"Unable to load executor {name}: .*{words}"):
            psij.JobExecutor.get_instance(name)


def test_two_of_one_name_and_version_are_refused(toy: Path, tmp_path: Path) -> None:
    psij.JobExecutor.get_executor_names()
    same = psij.Descriptor("toy", "1.2.0", "toyplug.toy.ToyJobExecutor")
    psij.JobExecutor.register_executor(same, str(tmp_path / "site"))
    with pytest.raises(ValueError, match=r"there are two of the executor toy 1\.2\.0"):
        psij.JobExecutor.register_executor(same, str(tmp_path))


def test_a_class_outside_sys_path_is_loaded_from_its_file(toy: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.py").write_text(
        "from psij.job_launcher import Launcher\n"
        "class Mine(Launcher):\n"
        "    def get_launch_command(self, job): return ['mine', job.spec.executable]\n"
    )
    psij.Launcher.register_launcher(psij.Descriptor("mine", "1", "mine.Mine"), str(elsewhere))
    launcher = psij.Launcher.get_instance("mine")
    assert launcher.get_launch_command(Job(JobSpec("x"))) == ["mine", "x"]
    assert isinstance(launcher, psij.Launcher)


def test_an_executor_over_the_bare_base_class(toy: Path) -> None:
    executor = psij.JobExecutor.get_instance("plain")
    seen: list[JobState] = []
    executor.set_job_status_callback(lambda job, status: seen.append(status.state))
    job = Job(JobSpec("/bin/true"))
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED
    callbacks.flush(LONG.total_seconds())
    assert seen == [S.QUEUED, S.ACTIVE, S.COMPLETED]
    assert executor.launch_command[0] == "/bin/bash"
    with pytest.raises(InvalidJobException, match="NEW state"):
        executor.submit(job)
    with pytest.raises(psij.InvalidStateException, match="cannot hold"):
        executor.hold(job)


@pytest.mark.parametrize("name", ["toy", "toytemplate"])
def test_jobs_run(make: Make, tmp_path: Path, name: str) -> None:
    if name == "toytemplate":
        pytest.importorskip("pystache")
    executor = make(name)
    seen: list[JobState] = []
    job = Job(
        JobSpec(
            "/bin/sh",
            ["-c", 'cat; echo "$A|$B|$1|$PRE"; echo err >&2; exit 3', "sh", "${B} 'x' $${B}"],
            directory=tmp_path,
            environment={"A": "a 'b'\"$HOME`", "B": "${A}/b", "N": 3},
            stdin_path="in put",
            stdout_path="out put",
            stderr_path="err",
            pre_launch=tmp_path / "pre",
            post_launch=tmp_path / "post",
        )
    )
    (tmp_path / "in put").write_text("input\n")
    (tmp_path / "pre").write_text("export PRE=by-pre\n")
    (tmp_path / "post").write_text("echo post > posted\n")
    job.spec.attributes.set_custom_attribute("toy.size", 3)
    job.set_job_status_callback(lambda job, status: seen.append(status.state))
    executor.submit(job)
    assert job.native_id == "1"
    status = job.wait(LONG)
    assert (status.state, status.exit_code) == (S.FAILED, 3)
    callbacks.flush(LONG.total_seconds())
    assert seen[0] is S.QUEUED
    assert seen[-1] is S.FAILED
    a = "a 'b'\"$HOME`"
    assert (tmp_path / "out put").read_text() == f"input\n{a}|{a}/b|{a}/b 'x' ${{B}}|by-pre\n"
    assert (tmp_path / "err").read_text() == "err\n"
    assert (tmp_path / "posted").exists()
    until(lambda: not list((tmp_path / "work dir" / name).iterdir()))


def test_the_end_is_told_at_once(make: Make) -> None:
    executor = make(queue_polling_interval=600, initial_queue_polling_delay=600)
    assert run(executor, JobSpec("/bin/true")).exit_code == 0


def test_an_end_is_told_at_once_that_came_before_anybody_was_told_of_files(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LocalTransport.watch

    async def late(self: LocalTransport, directory: str, changed: Callable[[], None]) -> Callable[[], None] | None:
        await until_async(Path(directory, "1.ec").exists)
        return await real(self, directory, changed)

    monkeypatch.setattr(LocalTransport, "watch", late)
    executor = make(queue_polling_interval=600, initial_queue_polling_delay=600)
    assert run(executor, JobSpec("/bin/true")).exit_code == 0


def test_a_program_may_end_while_jobs_run(make: Make, toy: Path, tmp_path: Path) -> None:
    script = (
        "import argosy.psij as psij;"
        "ex = psij.JobExecutor.get_instance('toy', config=psij.JobExecutorConfig(work_directory='work'));"
        "ex.submit(psij.Job(psij.JobSpec('/bin/sh', ['-c', 'sleep 0.5; echo done > out'], directory='"
        f"{tmp_path}')))"
    )
    environ = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "descriptor" not in line] == []
    until((tmp_path / "out").exists)


def test_many_jobs_share_one_status_command(make: Make, toy: Path) -> None:
    executor = make(queue_polling_interval=0.3)
    (toy / "hold").touch()
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"exit {n}"])) for n in range(12)]
    executor.submit(jobs)
    until((toy / "calls").exists)
    until(lambda: any(len(line.split()) == 13 for line in (toy / "calls").read_text().splitlines()))
    (toy / "hold").unlink()
    assert [job.wait(LONG).exit_code for job in jobs] == list(range(12))


def test_a_refusal_leaves_the_job_as_it_was(make: Make, toy: Path) -> None:
    executor = make()
    job = Job(JobSpec("/bin/true"))
    (toy / "refuse").touch()
    with pytest.raises(SubmitException, match="no such queue"):
        executor.submit(job)
    assert (job.status.state, job.executor, job.native_id) == (S.NEW, None, None)
    (toy / "refuse").unlink()
    executor.submit(job)
    assert job.wait(LONG).state is S.COMPLETED


def test_an_id_that_cannot_be_read(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = make()
    monkeypatch.setattr(executor, "job_id_from_submit_output", lambda out: out.split()[17])
    with pytest.raises(SubmitException, match=r"may have been accepted.*Submitted job 1"):
        executor.submit(Job(JobSpec("/bin/true")))


def test_cancelling(make: Make, toy: Path) -> None:
    executor = make()
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    assert job.wait(LONG, S.ACTIVE).state is S.ACTIVE
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED
    job.cancel()
    with pytest.raises(SubmitException, match="not submitted"):
        executor.cancel(Job(JobSpec("/bin/true")))


def test_cancelling_what_has_ended_meanwhile_is_no_error(
    make: Make, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = make(queue_polling_interval=600, initial_queue_polling_delay=600)
    job = Job(JobSpec("/bin/true"))
    monkeypatch.setattr(executor._queue_poll_thread, "register_job", lambda job: None)
    executor.submit(job)
    until(lambda: (toy / "job.1").read_text() == "E\n")
    executor.cancel(job)
    (toy / "job.1").unlink()
    with pytest.raises(SubmitException, match="unknown job"):
        executor.cancel(job)


def test_an_odd_line_concerns_its_job_alone(make: Make, toy: Path, caplog: pytest.LogCaptureFixture) -> None:
    (toy / "odd").write_text("99 of somebody else's, with words\n98 ??\n")
    executor = make()
    job = Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit(job)
    assert job.wait(LONG, S.ACTIVE).state is S.ACTIVE
    assert "'98 ??\\n'" in caplog.text
    job.cancel()
    assert job.wait(LONG).state is S.CANCELED


def test_a_server_that_is_away_ends_no_job(make: Make, toy: Path, caplog: pytest.LogCaptureFixture) -> None:
    executor = make()
    (toy / "hold").touch()
    job = Job(JobSpec("/bin/true"))
    executor.submit(job)
    (toy / "down").touch()
    until(lambda: "left as they were last seen" in caplog.text)
    with pytest.raises(SubmitException, match="cannot reach"):
        executor.submit(Job(JobSpec("/bin/true")))
    assert job.wait(timedelta(seconds=1)) is None
    assert caplog.text.count("left as they were last seen") == 1
    (toy / "down").unlink()
    (toy / "hold").unlink()
    assert job.wait(LONG).state is S.COMPLETED


def test_a_status_command_that_knows_one_job_no_more(make: Make, toy: Path, tmp_path: Path) -> None:
    """Absence is not success, and one purged job does not hide the others."""
    (toy / "strict").touch()
    executor = make()
    purged, other = Job(JobSpec("/bin/sleep", ["300"])), Job(JobSpec("/bin/sleep", ["300"]))
    executor.submit([purged, other])
    assert purged.wait(LONG, S.ACTIVE).state is S.ACTIVE
    subprocess.run(["kill", "-KILL", "--", "-" + (toy / "pid.1").read_text().strip()], check=True)
    until(lambda: (toy / "job.1").read_text() == "E\n")
    (toy / "job.1").unlink()
    assert other.wait(LONG, S.ACTIVE).state is S.ACTIVE
    assert not purged.status.final
    other.cancel()
    assert other.wait(LONG).state is S.CANCELED
    assert purged.wait(timedelta(seconds=1)) is None
    with pytest.raises(SubmitException, match="unknown job"):
        purged.cancel()
    (tmp_path / "work dir" / "toy" / "1.ec").write_text("1\n")
    assert purged.wait(LONG).state is S.FAILED


def test_attaching(make: Make, toy: Path) -> None:
    executor = make()
    job = Job(JobSpec("/bin/sh", ["-c", "sleep 300"]))
    executor.submit(job)
    assert job.native_id in executor.list()
    other = Job(JobSpec("/bin/false"))
    executor.attach(other, job.native_id)
    assert other.wait(LONG, S.ACTIVE).state is S.ACTIVE
    assert other.spec == JobSpec()
    with pytest.raises(InvalidJobException):
        executor.attach(other, job.native_id)
    job.cancel()
    assert other.wait(LONG).state is S.CANCELED
    assert job.wait(LONG).state is S.CANCELED


def test_attaching_to_what_is_not_there(make: Make) -> None:
    executor = make()
    job = Job()
    executor.attach(job, "4711")
    status = job.wait(LONG)
    assert status.state is S.FAILED
    assert "cannot be attached" in status.message


def test_a_launcher_that_fails_says_so(make: Make, tmp_path: Path) -> None:
    (tmp_path / "pre").write_text("echo the module is not there; return 4\n")
    status = run(make(), JobSpec("/bin/true", pre_launch=tmp_path / "pre"))
    assert (status.state, status.exit_code, status.message) == (S.FAILED, 4, "the module is not there")


def test_files_are_kept_when_asked_for(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSIJ_BATCH_KEEP_FILES", "1")
    run(make(), JobSpec("/bin/true"))
    kept = {path.suffix for path in (tmp_path / "work dir" / "toy").iterdir()}
    assert {".job", ".ec", ".out"} <= kept


@pytest.mark.parametrize("executor_name", ["toy", "local", "slurm"])
def test_a_launcher_of_others(make: Make, tmp_path: Path, request: pytest.FixtureRequest, executor_name: str) -> None:
    """Its pre-launch script is sourced once, and variables are replaced, whichever executor runs it."""
    if executor_name == "slurm":
        request.getfixturevalue("slurm")
    (tmp_path / "pre").write_text("export LOUD=pre; echo once >> pre.log\n")
    executor = make(executor_name)
    spec = JobSpec(
        "/bin/sh",
        ["-c", 'echo "$1"; exit 5', "sh", "${LOUD}" if executor_name != "toy" else "x"],
        directory=tmp_path,
        stdout_path="out",
        launcher="loud",
        pre_launch=tmp_path / "pre",
    )
    status = run(executor, spec)
    assert (status.state, status.exit_code) == (S.FAILED, 5)
    said = (tmp_path / "out").read_text().splitlines()
    assert said[:2] == ["loud: pre", "x" if executor_name == "toy" else "pre"]
    assert (tmp_path / "pre.log").read_text() == "once\n"


def test_a_launcher_built_on_multiple(make: Make, tmp_path: Path) -> None:
    spec = JobSpec(
        "/bin/sh",
        ["-c", 'echo "$_PSI_J_PROCESS_INDEX_ of $_PSI_J_PROCESS_COUNT"'],
        directory=tmp_path,
        stdout_path=tmp_path / "out",
        launcher="many",
        resources=ResourceSpecV1(process_count=3),
    )
    assert run(make(), spec).state is S.COMPLETED
    assert sorted((tmp_path / "out").read_text().splitlines()) == [f"{n} of 3" for n in (1, 2, 3)]


@pytest.mark.parametrize("name", ["single", "multiple"])
def test_own_launchers_as_a_command(tmp_path: Path, name: str) -> None:
    job = Job(
        JobSpec(
            "/bin/sh",
            ["-c", "echo $1; exit 6", "sh", "a 'b'"],
            stdout_path=tmp_path / "out",
            stderr_path=tmp_path / "out",
            resources=ResourceSpecV1(process_count=2),
        )
    )
    command = psij.Launcher.get_instance(name).get_launch_command(job)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (6, "_PSI_J_LAUNCHER_DONE\n")
    assert (tmp_path / "out").read_text() == "a 'b'\n" * (2 if name == "multiple" else 1)
    with pytest.raises(ValueError, match="No such launcher: nosuch"):
        psij.Launcher.get_instance("nosuch")


def test_templates_need_pystache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystache", None)
    with pytest.raises(ImportError, match="pip install pystache"):
        TemplatedScriptGenerator(psij.JobExecutorConfig(), tmp_path / "x")


def test_a_plugin_is_not_loaded_beside_psij_python(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psij", type(sys)("psij"))
    monkeypatch.setitem(sys.modules, "psij.descriptor", sys.modules[psij.Descriptor.__module__])
    with pytest.raises(ValueError, match=r"argosy.psij.install\(\)"):
        psij.JobExecutor.get_instance("plain")


def test_the_plugins_are_listed(toy: Path, tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-m", "argosy.psij", "plugins"], env=environ, capture_output=True, text=True, check=True
    )
    assert "Executor local" in done.stdout
    assert "Launcher loud 0.1:" in done.stdout
    assert "error: a library of mine is missing" in done.stdout
    assert subprocess.run([sys.executable, "-m", "argosy.psij"], capture_output=True, check=False).returncode == 2


def test_a_polling_interval_serves_argosys_own_executors_too(make: Make) -> None:
    assert make("slurm", queue_polling_interval=7)._batch.poll == 7.0


@pytest.fixture(autouse=True)
def _levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
