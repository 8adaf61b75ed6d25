from __future__ import annotations

import asyncio
import logging

import pytest

from argosy.executors.tasks import Tasks, at_intervals, over_and_over
from argosy.model import Unavailable

pytestmark = pytest.mark.anyio


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Of these tests' work: what goes on in the library's own loop since other tests may have its say meanwhile."""
    return [record for record in caplog.records if "sheep" in record.getMessage()]


@pytest.mark.parametrize("how", [over_and_over, lambda work, what, **_: at_intervals(work, what, 0.001)])
async def test_what_fails_is_told_and_goes_on(how, caplog: pytest.LogCaptureFixture) -> None:
    errors = iter([RuntimeError("a defect of somebody's"), Unavailable("the disk is full")])
    went_well = asyncio.Event()

    async def work() -> None:
        if (error := next(errors, None)) is not None:
            raise error
        went_well.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(how(work, "counting sheep", again=0.001))
    async with asyncio.timeout(30):
        await went_well.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    defect, fault = told(caplog)
    assert defect.getMessage().startswith("a defect: counting sheep failed, and is tried again in ")
    assert defect.levelname == "ERROR"
    assert "a defect of somebody's" in caplog.text
    assert fault.getMessage().endswith(": the disk is full")
    assert fault.levelname == "WARNING"
    assert fault.exc_info is None


async def test_a_task_that_fails_is_told_and_one_that_is_stopped_is_not(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise RuntimeError("a defect of somebody's")

    async def lasts() -> None:
        await asyncio.sleep(60)

    tasks = Tasks("herding sheep")
    failing, lasting = tasks.start(fails()), tasks.start(lasts())
    await asyncio.wait([failing])
    await tasks.stop()
    assert lasting.cancelled()
    assert [record.getMessage() for record in told(caplog)] == ["a defect: herding sheep failed"]
    assert "a defect of somebody's" in caplog.text
    await tasks.stop()


async def test_what_goes_on_is_waited_for_within_a_bound() -> None:
    over = asyncio.Event()

    async def lasts() -> None:
        await over.wait()

    tasks = Tasks("herding sheep")
    task = tasks.start(lasts())
    await tasks.ended(0.001)
    assert not task.done()
    over.set()
    await tasks.ended(30)
    assert task.done()
