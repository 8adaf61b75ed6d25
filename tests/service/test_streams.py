"""Who follows an activity sees its end, whenever it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from argosy.model import ActivityState
from argosy.service.activities.streams import Streams
from argosy.store import Activity
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
