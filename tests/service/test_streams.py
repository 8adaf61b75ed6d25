"""Who follows an activity sees its end, whenever it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from argosy.endpoints.rest.waiting import changed
from argosy.executors.contract import Report
from argosy.model import ActivityState, Outcome, Phase
from argosy.service.activities.streams import Streams
from argosy.store import Activity, Event
from tests.service.driving import ALICE, create, record, told_service, until

pytestmark = pytest.mark.anyio


class _Meanwhile:
    """A store in which something happens between the reading of events and the next question."""

    def __init__(self, store: object, happens: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._happens = happens
        self._read = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def get(self, ids: Sequence[str]) -> dict[str, Activity]:
        if self._read:
            await self._happens()
        return await self._store.get(ids)

    async def events(self, *args: object, **more: object) -> object:
        found = await self._store.events(*args, **more)
        self._read = self._read or not found
        return found


async def test_what_ends_while_it_is_read_is_told_before_the_stream_ends(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        await until(lambda: driver.submitted)

        async def end() -> None:
            if not (await record(service, id)).state.final:
                await driver.end(id)

        streams = Streams(_Meanwhile(service._store, end))
        streams.start()
        told = [event async for events in streams.follow(ALICE.name, [id], 0) for event in events]
        streams.stop()
        assert told[-1].state is ActivityState.FINISHED
        assert told == await service.events(ALICE, id)


async def test_a_restarted_activity_is_followed_to_its_new_end(tmp_path: Path) -> None:
    """The end that it had before is in its history, and is not where a stream or a long poll ends."""
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        await until(lambda: driver.submitted)
        await driver.on_reports([Report(id, id, Phase.ENDED, time.time(), outcome=Outcome.OUT_OF_MEMORY)])
        assert (await record(service, id)).state is ActivityState.FAILED
        await service.restart(ALICE, [id])
        await until(lambda: f"{id}-2" in driver.submitted)

        async def follow() -> list[Event]:
            return [event async for events in service.stream(ALICE, [id], after=0) for event in events]

        whole = asyncio.create_task(follow())
        waiting = asyncio.create_task(changed(service, ALICE, id, version=None, wait=30, closing=asyncio.Event()))
        done, _ = await asyncio.wait([whole, waiting], timeout=0.3)
        assert not done, "it has not ended"
        await driver.on_reports(
            [Report(f"{id}-2", f"{id}-2", Phase.ENDED, time.time(), outcome=Outcome.EXITED, exit_code=0)]
        )
        assert (await waiting).state is ActivityState.FINISHED
        assert await whole == await service.events(ALICE, id)
