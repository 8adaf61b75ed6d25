"""A service that is closed while it has something to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.service.driving import ALICE, create, told_service

pytestmark = pytest.mark.anyio


async def test_a_service_closes_right_after_a_purge(tmp_path: Path) -> None:
    """The purge wakes a task that the closing cancels in the same instant."""
    async with asyncio.timeout(20):
        async with told_service(tmp_path, housekeeping=1000.0) as (service, _):
            id = await create(service, held=True)
            await service.terminate(ALICE, [id])
            # Once what there was has been done, the task waits.
            while (await service._store.chores(2**40, 1)) or service._housekeeping._chores_wanted.is_set():
                await asyncio.sleep(0.01)
            service._housekeeping._chores_wanted.set()
            await service._housekeeping.stop()
