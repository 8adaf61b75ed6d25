"""A service that is closed while it has something to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.service.driving import ALICE, ToldDriver, create, routed_service, told_service
from tests.waiting import LIMIT

pytestmark = pytest.mark.anyio


async def test_a_service_closes_right_after_a_purge(tmp_path: Path) -> None:
    """The purge wakes a task that the closing cancels in the same instant."""
    async with asyncio.timeout(LIMIT):
        async with told_service(tmp_path, housekeeping=1000.0) as (service, _):
            id = await create(service, held=True)
            await service.terminate(ALICE, [id])
            # Once what there was has been done, the task waits.
            while (await service._store.chores(2**40, 1)) or service._housekeeping._chores_wanted.is_set():
                await asyncio.sleep(0.01)
            service._housekeeping._chores_wanted.set()
            await service._housekeeping.stop()


async def test_drivers_are_closed_side_by_side(tmp_path: Path) -> None:
    """One that has commands under way, or a defect, keeps no other waiting."""
    meeting = asyncio.Barrier(3)

    class Slow(ToldDriver):
        async def close(self) -> None:
            await meeting.wait()

    class Broken(Slow):
        async def close(self) -> None:
            await super().close()
            raise RuntimeError("a defect")

    async with asyncio.timeout(LIMIT):
        async with routed_service(tmp_path, {"a": Slow(), "b": Broken(), "c": Slow()}):
            pass
