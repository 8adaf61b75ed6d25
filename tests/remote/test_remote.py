"""PSI/J's interface over a real service in a process of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from argosy import InvalidJobException, Job, JobExecutor, JobSpec, JobState, JobStatus, SubmitException
from argosy.client.asynchronous import AsyncClient
from argosy.executors import callbacks
from argosy.model import ActivityState, JobAttributes, StageIn, StageOut, StageOutFlags, StagingMode
from argosy.remote import RemoteExecutorConfig, RemoteJobExecutor, following
from argosy.remote.following import Follower
from tests.service.running import RunningService
from tests.waiting import until_async

pytestmark = pytest.mark.timeout(120)

LONG = timedelta(seconds=60)
S = JobState


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    running.start()
    yield running
    running.end()


@pytest.fixture
def executor(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> JobExecutor:
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    return JobExecutor.get_instance("argosy")


def test_files_go_there_and_come_back(executor: JobExecutor, tmp_path: Path) -> None:
    (tmp_path / "in file").write_text("3\n1\n2\n")
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "b").write_text("deep")
    seen: list[JobState] = []
    job = Job(
        JobSpec(
            "/bin/sh",
            ["-c", "sort 'in put' > sorted; mkdir -p made/sub; cp -r tree made/sub/; cat tree/a/b; echo err >&2"],
            stage_in={
                StageIn(str(tmp_path / "in file"), "in put"),
                StageIn((tmp_path / "tree").as_uri(), "tree"),
            },
            stage_out={
                StageOut("sorted", str(tmp_path / "out" / "sorted")),
                StageOut("made", str(tmp_path / "made")),
                StageOut("stderr", str(tmp_path / "err")),
                StageOut("nosuch", str(tmp_path / "nosuch"), flags=StageOutFlags.IF_PRESENT),
                StageOut("sorted", str(tmp_path / "not"), flags=StageOutFlags.ON_ERROR),
            },
        )
    )
    job.set_job_status_callback(lambda job, status: seen.append(status.state))
    executor.submit(job)
    status = job.wait(LONG)
    callbacks.flush(LONG.total_seconds())
    assert status is not None
    assert (status.state, status.exit_code, status.message) == (S.COMPLETED, 0, None)
    assert (tmp_path / "out" / "sorted").read_text() == "1\n2\n3\n"
    assert (tmp_path / "made" / "sub" / "tree" / "a" / "b").read_text() == "deep"
    assert (tmp_path / "err").read_text() == "err\n"
    assert not (tmp_path / "nosuch").exists()
    assert not (tmp_path / "not").exists()
    assert [state for state in seen if state in (S.STAGE_IN, S.ACTIVE, S.STAGE_OUT, S.COMPLETED)] == [
        S.STAGE_IN,
        S.ACTIVE,
        S.STAGE_OUT,
        S.COMPLETED,
    ]


def test_an_output_that_is_not_there_fails_the_job(executor: JobExecutor, tmp_path: Path) -> None:
    job = Job(JobSpec("/bin/true", stage_out={StageOut("nosuch", str(tmp_path / "x"))}))
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None
    assert (status.state, status.exit_code) == (S.FAILED, 0)
    assert "nosuch" in (status.message or "")


@pytest.mark.parametrize(
    ("spec", "element"),
    [
        (JobSpec("/bin/true", stage_in={StageIn("/no/such/file", "x")}), "stage_in[0].source"),
        (JobSpec("/bin/true", stage_in={StageIn("/etc/passwd", "../x")}), "stage_in[0].target"),
        (JobSpec("/bin/true", stage_in={StageIn("/etc/passwd", "x", StagingMode.LINK)}), "stage_in[0].mode"),
        (JobSpec("/bin/true", stage_out={StageOut("/etc/passwd", "x")}), "stage_out[0].source"),
        (JobSpec("/bin/true", attributes=JobAttributes(queue_name="q")), "attributes.queue_name"),
        (JobSpec("/bin/true", launcher="nosuch"), "launcher"),
    ],
)
def test_what_cannot_be_is_refused_and_recorded_nowhere(executor: JobExecutor, spec: JobSpec, element: str) -> None:
    job = Job(spec)
    with pytest.raises(InvalidJobException) as refused:
        executor.submit(job)
    assert refused.value.element == element
    assert job.status.state is S.NEW
    assert executor.list() == []


def test_the_share_is_the_configured_one(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    config = RemoteExecutorConfig(share="nosuch", purge=True)
    with pytest.raises(InvalidJobException, match="nosuch"):
        RemoteJobExecutor(config=config).submit(Job(JobSpec("/bin/true")))


def test_a_purged_activity_leaves_nothing(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    executor = RemoteJobExecutor(config=RemoteExecutorConfig(purge=True))
    job = Job(JobSpec("/bin/true"))
    executor.submit(job)
    assert job.wait(LONG) is not None
    with service.client() as client:
        assert list(client.list()) == []


def test_a_service_by_its_url(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGOSY_HOME", raising=False)
    with service.client() as client:
        url = client.endpoint.url
    executor = JobExecutor.get_instance(
        "argosy", url=url, config=RemoteExecutorConfig(token_file=service.directory / "token")
    )
    job = Job(JobSpec("/bin/sh", ["-c", "exit 4"]))
    executor.submit(job)
    status = job.wait(LONG)
    assert status is not None
    assert (status.state, status.exit_code) == (S.FAILED, 4)


def test_no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_HOME", str(tmp_path))
    job = Job(JobSpec("/bin/true"))
    with pytest.raises(SubmitException, match="argosy serve") as refused:
        JobExecutor.get_instance("argosy").submit(job)
    assert refused.value.transient
    assert job.status.state is S.NEW


def test_what_is_told_before_the_answer_to_the_submission_is_not_missed(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (service.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\nslots = 2\n')
    service.stop()
    service.start()
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    monkeypatch.setattr(following, "_LOOK", 600.0)
    submit, take, ended = AsyncClient.submit_many, Follower._take, set()

    async def note(self: Follower, event: following.EventDocument) -> None:
        if ActivityState(event.state).final:
            ended.add(event.activity)
        await take(self, event)

    async def late(self: AsyncClient, *asked: object, **more: object) -> object:
        results = await submit(self, *asked, **more)
        await until_async(lambda: {one.activity.id for one in results} <= ended)
        return results

    executor = JobExecutor.get_instance("argosy")
    os.mkfifo(tmp_path / "go")
    other, job = Job(JobSpec("/bin/cat", [str(tmp_path / "go")])), Job(JobSpec("/bin/sh", ["-c", "exit 6"]))
    executor.submit(other)  # so that the service is listened to
    monkeypatch.setattr(Follower, "_take", note)
    monkeypatch.setattr(AsyncClient, "submit_many", late)
    executor.submit(job)
    status = job.wait(LONG)
    (tmp_path / "go").write_text("")
    assert status is not None
    assert status.exit_code == 6
    assert other.wait(LONG) is not None


def test_the_service_killed_meanwhile(service: RunningService, executor: JobExecutor, tmp_path: Path) -> None:
    """Jobs submitted before a kill -9 of the service are followed to their ends after it is back."""
    jobs = [Job(JobSpec("/bin/sh", ["-c", f"echo x >> {tmp_path}/runs; sleep 1; exit {n}"])) for n in range(5)]
    executor.submit(jobs)
    service.kill()
    service.start()
    for number, job in enumerate(jobs):
        status = job.wait(LONG)
        assert status is not None, job
        assert status.exit_code == number
    assert (tmp_path / "runs").read_text().count("x") == 5


def test_many(executor: JobExecutor) -> None:
    ended: list[str] = []
    all_ended = threading.Event()

    def on_status(job: Job, status: JobStatus) -> None:
        if status.final:
            ended.append(job.id)
            if len(ended) == 300:
                all_ended.set()

    executor.set_job_status_callback(on_status)
    jobs = [Job(JobSpec("/bin/true")) for _ in range(300)]
    executor.submit(jobs)
    assert all_ended.wait(60)
    assert sorted(ended) == sorted(job.id for job in jobs)
    assert {job.status.state for job in jobs} == {S.COMPLETED}
