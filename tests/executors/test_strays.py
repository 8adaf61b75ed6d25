"""Records in the spool that belong to no job that is watched: they hide nothing, and do not stay for ever."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from argosy.batch.slurm import Slurm
from argosy.executors.batch import watcher
from argosy.executors.batch.driver import BatchConfig, BatchDriver
from argosy.executors.batch.reconcile import Policy
from argosy.executors.contract import Handle, Report
from argosy.transport.local import LocalTransport
from tests.executors.fake_slurm import FakeSlurm

pytestmark = pytest.mark.anyio

DAY = 86_400.0


class _Driven:
    def __init__(self, place: Path) -> None:
        self.spool = place / "spool"
        transport = LocalTransport({"PATH": FakeSlurm(place / "bin").path})
        config = BatchConfig(poll=0.02, policy=Policy(stray_after=7 * DAY, stray_known=0.0))
        self.driver = BatchDriver(Slurm(), transport, str(self.spool), config)
        self.reports: list[Report] = []

    async def on_reports(self, reports: Sequence[Report]) -> None:
        self.reports += reports

    def record(self, native_id: str, tag: str, age: float = 0.0, kind: str = "exit") -> str:
        """Leave one as a job script does."""
        name = f"{native_id}.0.{kind}"
        text = f"tag={tag}\nid={native_id}\nrun=0\ntime={time.time() - age:.6f}\nhosts=n1\n"
        (self.spool / "tmp" / name).write_text(text + ("exit=0\n" if kind == "exit" else "owner=withdrawn\n"))
        os.rename(self.spool / "tmp" / name, self.spool / "new" / name)
        return name

    def left(self) -> set[str]:
        return set(os.listdir(self.spool / "new"))


@pytest.fixture
async def driven(tmp_path: Path) -> AsyncIterator[_Driven]:
    driven = _Driven(tmp_path)
    await driven.driver.open(driven.on_reports)
    yield driven
    await driven.driver.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_nobody_asks_about_is_removed(driven: _Driven, caplog: pytest.LogCaptureFixture) -> None:
    (driven.spool / "new" / "odd").write_text("what is this")
    young = {driven.record("1", "young", 6 * DAY), "odd"}
    driven.record("2", "old", 8 * DAY)
    await _until(lambda: driven.left() == young)
    assert "2.0.exit of old" in caplog.text
    driven.driver.watch([Handle("young", "1")])
    await _until(lambda: driven.left() == {"odd"})
    assert [report.tag for report in driven.reports if report.exit_code == 0] == ["young"]


async def test_what_is_left_hides_nothing(driven: _Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_FILES", 3)
    left = {driven.record(str(number), f"t{number}") for number in range(100, 140)}
    driven.driver.watch([Handle("new", "7")])
    driven.record("7", "new")
    await _until(lambda: driven.left() == left)
    assert [report.tag for report in driven.reports if report.exit_code == 0] == ["new"]


async def test_what_a_withdrawn_copy_says_is_of_no_use(driven: _Driven) -> None:
    assert await driven.driver.withdraw(["gone"]) == {}
    driven.record("8", "gone", kind="duplicate")
    await _until(lambda: not driven.left())
    assert driven.reports == []
