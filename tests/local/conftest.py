"""A driver over a reaper of its own, and a collector of its reports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from argosy.executors.contract import Handle, JobRequest, Report
from argosy.executors.local import LocalDriver
from argosy.model import JobSpec, Phase, Unavailable
from tests.waiting import LIMIT


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def new_reaper(driver: LocalDriver, seconds: float = LIMIT) -> int:
    """The pid of the reaper that the driver talks to once it has noticed that the one before is gone."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return (await driver.status())["pid"]
        except Unavailable:  # what was sent into the old one's broken connection
            assert time.monotonic() < deadline, f"no new reaper within {seconds} s"
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether there is such a process that has not ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Bench:
    """A driver and everything that it reported."""

    def __init__(self, directory: Path, **options) -> None:
        self.directory = directory
        self.driver = LocalDriver(str(directory), idle=1.0, **options)
        self.reports: list[Report] = []
        self.changed = asyncio.Event()

    async def open(self) -> None:
        await self.driver.open(self._on_reports)
        self.pid = (await self.driver.status())["pid"]

    async def _on_reports(self, reports) -> None:
        self.reports += reports
        self.changed.set()

    async def submit(self, tag: str, *argv: str, **fields) -> None:
        spec = JobSpec(argv[0], list(argv[1:]), **fields)
        assert await self.driver.submit([JobRequest(tag, spec)]) == [tag]

    async def seen(self, *tags: str, phase: Phase = Phase.ENDED, seconds: float = LIMIT) -> list[Report]:
        """The last reports of these jobs, once each has reached `phase`."""
        async with asyncio.timeout(seconds):
            while True:
                found = {report.tag: report for report in self.reports if report.phase is phase}
                if found.keys() >= set(tags):
                    return [found[tag] for tag in tags]
                self.changed.clear()
                await self.changed.wait()

    async def run(self, *argv: str, **fields) -> Report:
        tag = f"job-{time.monotonic_ns()}"
        await self.submit(tag, *argv, **fields)
        return (await self.seen(tag))[0]


def handle(tag: str) -> Handle:
    return Handle(tag, tag)


@pytest.fixture
def bench_at():
    """Makes benches; ends their reapers and what these run afterwards."""
    made: list[Bench] = []

    def make(directory: Path, **options) -> Bench:
        made.append(Bench(directory, **options))
        return made[-1]

    yield make
    for bench in made:
        with contextlib.suppress(ProcessLookupError, AttributeError):
            os.kill(bench.pid, signal.SIGKILL)


@pytest.fixture
async def bench(tmp_path, bench_at):
    bench = bench_at(tmp_path / "reaper", slots=2, grace=0.5)
    await bench.open()
    yield bench
    with contextlib.suppress(Exception):
        jobs = [handle(tag) for tag in await bench.driver.list_jobs()]
        await bench.driver.control("cancel", jobs)
    await bench.driver.close()
