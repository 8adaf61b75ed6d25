"""Slurm behind a real sshd whose connections break: no job is lost, and none runs twice."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from argosy.batch.slurm import Slurm
from argosy.executors.batch.driver import BatchConfig, BatchDriver
from argosy.executors.batch.spools import remote_spools
from argosy.executors.contract import Handle, JobRequest, Report
from argosy.model import Command, JobSpec, Outcome, Phase, Unavailable
from argosy.transport import open_transport
from tests.servers.sshd import Sshd, running
from tests.waiting import until_async as until

pytestmark = [pytest.mark.anyio, pytest.mark.slurm, pytest.mark.ssh, pytest.mark.timeout(240)]


class Stopping(Slurm):
    """Slurm whose submit command, once, stops before or after sbatch until the file `go` is there."""

    def __init__(self, gate: Path, where: str) -> None:
        self._gate = gate
        self._where = where
        self._stopped = False

    def submit(self, script: str) -> Command:
        command = super().submit(script)
        if self._stopped:
            return command
        self._stopped = True
        stop = 'touch "$gate/stopped"; n=0; until [ -e "$gate/go" ] || [ $n -gt 600 ]; do n=$((n+1)); sleep 0.1; done'
        before, after = (stop, ":") if self._where == "before" else (":", stop)
        text = f'gate=$1; shift; {before}; "$@"; {after}'
        return Command(("sh", "-c", text, "sh", str(self._gate), *command.argv), command.stdin, command.environment)


@pytest.fixture
def own(slurm: None, sshd: Sshd, tmp_path: Path) -> Iterator[Sshd]:
    with running(tmp_path / "sshd") as server:
        yield server


class Driven:
    def __init__(self, driver: BatchDriver) -> None:
        self.driver = driver
        self.ends: dict[str, Report] = {}
        self._ended = asyncio.Condition()

    async def on_reports(self, reports: Sequence[Report]) -> None:
        async with self._ended:
            self.ends |= {report.tag: report for report in reports if report.phase is Phase.ENDED}
            self._ended.notify_all()

    async def end(self, tag: str, seconds: float = 120) -> Report:
        async with asyncio.timeout(seconds), self._ended:
            await self._ended.wait_for(lambda: tag in self.ends)
        return self.ends[tag]


@asynccontextmanager
async def driving(
    server: Sshd, tmp_path: Path, system: Slurm | None = None, poll: float = 2.0
) -> AsyncIterator[Driven]:
    transport = open_transport(server.url, config=server.config)
    driver = BatchDriver(system or Slurm(), transport, str(tmp_path / "spool"), BatchConfig(poll=poll))
    driven = Driven(driver)
    await driver.open(driven.on_reports)
    try:
        yield driven
    finally:
        await driver.close()


def counting(tmp_path: Path, tag: str, first: str = ":") -> JobRequest:
    script = f"{first}; echo run >> {tmp_path}/runs"
    return JobRequest(tag, JobSpec("/bin/sh", ["-c", script], directory=tmp_path))


def new_tag() -> str:
    # Slurm remembers the jobs of earlier tests by their tags.
    return f"ssh-{uuid.uuid4().hex}"


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().split())


async def persist(ask: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
    """As a caller does: ask until there is an answer."""
    for _ in range(20):
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(0.5)
    raise AssertionError("nobody answers")


async def test_cut_after_slurm_has_accepted_and_before_the_answer(own: Sshd, tmp_path: Path) -> None:
    tag = new_tag()
    async with driving(own, tmp_path, Stopping(tmp_path, "after")) as driven:
        submitting = asyncio.create_task(driven.driver.submit([counting(tmp_path, tag)]))
        await until((tmp_path / "stopped").exists)
        own.cut()
        (answer,) = await submitting
        assert isinstance(answer, Unavailable)
        found = await persist(lambda: driven.driver.find([tag]))
        assert set(found) == {tag}
        (tmp_path / "go").touch()
        driven.driver.watch([Handle(tag, found[tag])])
        report = await driven.end(tag)
        assert (report.outcome, report.exit_code) == (Outcome.EXITED, 0)
        assert runs(tmp_path) == 1


async def test_cut_before_slurm_is_asked_which_it_is_afterwards_all_the_same(own: Sshd, tmp_path: Path) -> None:
    """The worst case: the job is not there when it is looked for, and there are two in the end. One of them runs."""
    tag = new_tag()
    async with driving(own, tmp_path, Stopping(tmp_path, "before")) as driven:
        submitting = asyncio.create_task(driven.driver.submit([counting(tmp_path, tag)]))
        await until((tmp_path / "stopped").exists)
        own.cut()
        (answer,) = await submitting
        assert isinstance(answer, Unavailable)
        assert await persist(lambda: driven.driver.find([tag])) == {}
        (again,) = await driven.driver.submit([counting(tmp_path, tag)])
        assert isinstance(again, str)
        (tmp_path / "go").touch()
        report = await driven.end(tag)
        assert (report.outcome, report.exit_code) == (Outcome.EXITED, 0)

        def both_ended() -> bool:
            return len(list((tmp_path / "spool" / "out").glob("*.out"))) >= 2

        await until(both_ended)
        assert runs(tmp_path) == 1


async def test_cut_between_commands(own: Sshd, tmp_path: Path) -> None:
    async with driving(own, tmp_path) as driven:
        own.cut()
        tag = new_tag()
        for _ in range(20):
            (answer,) = await driven.driver.submit([counting(tmp_path, tag)])
            if isinstance(answer, str):
                break
            if found := await persist(lambda: driven.driver.find([tag])):
                driven.driver.watch([Handle(tag, found[tag])])
                break
        report = await driven.end(tag)
        assert (report.outcome, report.exit_code) == (Outcome.EXITED, 0)
        assert runs(tmp_path) == 1


async def test_a_job_ends_while_the_host_is_away(own: Sshd, tmp_path: Path) -> None:
    tag = new_tag()
    os.mkfifo(tmp_path / "go")
    async with driving(own, tmp_path) as driven:
        (answer,) = await driven.driver.submit([counting(tmp_path, tag, "read line <go")])
        assert isinstance(answer, str)
        own.stop()
        await asyncio.to_thread((tmp_path / "go").write_text, "\n")
        await until((tmp_path / "runs").exists, seconds=120)
        assert tag not in driven.ends
        own.start()
        report = await driven.end(tag)
        assert (report.outcome, report.exit_code) == (Outcome.EXITED, 0)
        assert report.time < time.time()


async def test_cuts_all_the_time(own: Sshd, tmp_path: Path) -> None:
    """Twenty jobs, with the connection cut over and over while they are submitted, run and end."""
    tags = [new_tag() for _ in range(20)]
    async with driving(own, tmp_path) as driven:

        async def storm() -> None:
            pause = 0.2
            while True:
                await asyncio.sleep(pause)
                own.cut()
                pause *= 1.3  # where all is slow, what takes longer than a pause has its turn too

        storming = asyncio.create_task(storm())

        async def one(tag: str) -> None:
            for _ in range(60):
                (answer,) = await driven.driver.submit([counting(tmp_path, tag)])
                if isinstance(answer, str):
                    return
                found = await persist(lambda: driven.driver.find([tag]))
                if tag in found:
                    driven.driver.watch([Handle(tag, found[tag])])
                    return
                await asyncio.sleep(0.2)
            raise AssertionError(f"{tag} could not be submitted")

        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*(one(tag) for tag in tags))
        finally:
            storming.cancel()
            await asyncio.wait([storming])
        for tag in tags:
            report = await driven.end(tag)
            assert (report.outcome, report.exit_code) == (Outcome.EXITED, 0)
        assert runs(tmp_path) == len(tags)


async def test_a_spool_in_the_home_directory_there(own: Sshd, tmp_path: Path) -> None:
    transport = open_transport(own.url, config=own.config)
    driver = BatchDriver(Slurm(), transport, "~/.cache/argosy-tests/spool")
    try:
        await driver.open(Driven(driver).on_reports)
        home = await transport.home()
        assert Path(home, ".cache/argosy-tests/spool/new").is_dir()
        await transport.remove([f"{home}/.cache/argosy-tests"])
    finally:
        await driver.close()


async def test_old_spools_there_are_removed(own: Sshd, tmp_path: Path) -> None:
    def spool(name: str, days: float, inside: float | None = None) -> Path:
        path = tmp_path / "work" / "slurm" / name
        (path / "new").mkdir(parents=True)
        for one, age in ((path / "new", days if inside is None else inside), (path, days)):
            os.utime(one, (time.time() - age * 86400,) * 2)
        return path

    old, used, young = spool("a" * 32, 40), spool("b" * 32, 40, inside=2), spool("c" * 32, 1)
    other = spool("not-a-spool", 400)
    transport = open_transport(own.url, config=own.config)
    try:
        root = await remote_spools(transport, tmp_path / "work", "slurm", 30 * 86_400)
    finally:
        await transport.close()
    assert root == str(tmp_path / "work" / "slurm")
    assert [path.exists() for path in (old, used, young, other)] == [False, True, True, True]
