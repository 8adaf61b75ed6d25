"""pre_launch and post_launch that fail: said in the same words whether the job stages or not, wherever it runs."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import Job, JobExecutor, JobExecutorConfig, JobSpec, JobState, JobStatus
from argosy.executors.local.notes import Notes

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture(params=["local", "local, staged", "nested"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(kind: str, place: Path, executable: str = "/bin/sh", **fields: object) -> JobStatus:
    """The end of a job that says that it ran, and exits with 3."""
    config = JobExecutorConfig(work_directory=place.with_name("work"))
    executor = JobExecutor.get_instance(
        kind.partition(",")[0], url="local:" if kind == "nested" else None, config=config
    )
    if "staged" in kind:
        fields["cleanup"] = ["nothing"]
    job = Job(JobSpec(executable, ["-c", "echo >ran; exit 3"], directory=place, stderr_path="err", **fields))
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None
    return status


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "place"
    path.mkdir()
    for name, text in (("fails", "(exit 7)\n"), ("false", "false\n"), ("leaves", "exit 9\n"), ("fine", "true\n")):
        (path / name).write_text(text)
    return path


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("fails", "pre_launch failed with exit status 7"),
        ("false", "pre_launch failed with exit status 1"),
        ("missing", "pre_launch failed with exit status 1"),
        ("leaves", "pre_launch ended the script"),
    ],
)
def test_a_pre_launch_that_fails_is_no_end_of_the_application(kind: str, place: Path, script: str, words: str) -> None:
    status = run(kind, place, pre_launch=script)
    assert (status.state, status.exit_code, status.message) == (S.FAILED, None, words)
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("fails", "post_launch failed with exit status 7"),
        ("missing", "post_launch failed with exit status 1"),
        ("leaves", "post_launch failed with exit status 9"),
        ("fine", None),
    ],
)
def test_a_post_launch_that_fails_is_told(kind: str, place: Path, script: str, words: str | None) -> None:
    status = run(kind, place, pre_launch="fine", post_launch=script)
    assert (status.state, status.exit_code, status.message) == (S.FAILED, 3, words)
    assert (place / "ran").exists()


def test_a_post_launch_may_end_at_its_first_fault(kind: str, place: Path) -> None:
    (place / "strict").write_text("set -e\nfalse\necho >went\n")
    status = run(kind, place, post_launch="strict")
    assert (status.state, status.exit_code, status.message) == (S.FAILED, 3, "post_launch failed with exit status 1")
    assert not (place / "went").exists()


def test_nothing_is_kept_of_a_job_that_has_ended(place: Path) -> None:
    run("local", place, pre_launch="fails")
    run("nested", place, post_launch="fails")
    assert not [path for path in place.with_name("work").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["local", "nested"])
def test_a_note_that_cannot_be_removed_keeps_nobody_waiting(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Notes, tag: str) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(Notes, "forget", refuse)
    status = run(name, place, post_launch="fails")
    assert (status.state, status.exit_code, status.message) == (S.FAILED, 3, "post_launch failed with exit status 7")


def test_scripts_need_no_home_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/proc/nothing")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    job = Job(JobSpec("/bin/sh", ["-c", "exit 3"], directory=place, pre_launch="fine", post_launch="fails"))
    JobExecutor.get_instance("local").submit(job)
    status = job.wait(LONG)
    assert (status.exit_code, status.message) == (3, "post_launch failed with exit status 7")


def test_one_that_is_ended_in_its_pre_launch_has_no_exit_code(place: Path) -> None:
    ready = place / "ready"
    os.mkfifo(ready)
    (place / "waits").write_text(f"echo $$ >{ready}; sleep 300\n")
    executor = JobExecutor.get_instance("local", config=JobExecutorConfig(work_directory=place.with_name("work")))
    for end, wanted in (
        (lambda job: executor.cancel(job), (S.CANCELED, None, "cancelled")),
        (lambda job: os.killpg(int(job.native_id), signal.SIGKILL), (S.FAILED, None, "ended by signal 9")),
    ):
        job = Job(JobSpec("/bin/true", directory=place, pre_launch="waits"))
        executor.submit(job)
        ready.read_text()
        end(job)
        status = job.wait(LONG)
        assert (status.state, status.exit_code, status.message) == wanted
