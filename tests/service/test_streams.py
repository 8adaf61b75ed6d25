"""Who follows an activity sees its end, whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from argosy.endpoints.rest.waiting import changed
from argosy.executors.contract import Report
from argosy.languages.native import Description
from argosy.model import ActivityState, Outcome, Phase
from argosy.service.activities.streams import Streams
from argosy.service.contract import CreateRequest
from argosy.service.service import ExecutionService
from argosy.store import Activity, Created, Event
from tests.service.driving import ALICE, create, record, told_service, until
from tests.waiting import LIMIT

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
        await streams.start()
        told = [event async for events in streams.follow(ALICE.name, [id], 0) for event in events]
        streams.stop()
        assert told[-1].state is ActivityState.FINISHED
        assert told == await service.events(ALICE, id)


class _Halt:
    """Has the store's writer stop at a point once more events are on the disk than before, until it may go on."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._point, self._seq = "", 0
        self._there, self._free = threading.Event(), threading.Event()

    def __call__(self, point: str) -> None:
        if point == self._point and not self._there.is_set() and self.more > 0:
            self._there.set()
            assert self._free.wait(LIMIT)

    @property
    def more(self) -> int:
        """How many events there are now that were not there before."""
        return self._last() - self._seq

    def _last(self) -> int:
        with contextlib.closing(sqlite3.connect(self._database)) as db:
            return int(db.execute("SELECT max(seq) FROM event").fetchone()[0])

    @asynccontextmanager
    async def at(self, point: str, cause: Awaitable[None]) -> AsyncIterator[None]:
        self._point, self._seq = point, self._last()
        causing = asyncio.ensure_future(cause)
        try:
            assert await asyncio.to_thread(self._there.wait, LIMIT)
            yield
        finally:
            self._free.set()
            await causing


@asynccontextmanager
async def _statuses_when_told(
    service: ExecutionService,
) -> AsyncIterator[list[tuple[str, ActivityState, ActivityState]]]:
    """Of each event in ALICE's stream: whose it is, its state, and what a status asked for then says."""
    told: list[tuple[str, ActivityState, ActivityState]] = []

    async def follow() -> None:
        async for events in service.stream(ALICE, [], after=0):
            for event in events:
                now = await record(service, event.activity)
                told.append((event.activity, event.state, now.state))

    following = asyncio.create_task(follow())
    try:
        yield told
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_nobody_is_told_what_the_status_does_not_show_yet(tmp_path: Path) -> None:
    """The end is on the disk, where a follower reads, before the service itself knows that."""
    halt = _Halt(tmp_path / "argosy.db")
    async with told_service(tmp_path, store_fault=halt) as (service, driver):
        id = await create(service)
        await until(lambda: _in_lrms(service, id))
        before = len(await service.events(ALICE, id))
        async with halt.at("after-commit", driver.end(id)), _statuses_when_told(service) as told:
            assert len(await service.events(ALICE, id)) > before, "it is on the disk"
            await until(lambda: len(told) == before)
            assert not any(state.final for _, state, _ in told)
        async with _statuses_when_told(service) as told:
            await until(lambda: told and told[-1][1:] == (ActivityState.FINISHED, ActivityState.FINISHED))


async def test_nothing_ends_before_its_end_is_told(tmp_path: Path) -> None:
    """The record is final on the disk, and its last event not told: neither a stream nor a long poll is over."""
    halt = _Halt(tmp_path / "argosy.db")
    async with told_service(tmp_path, store_fault=halt) as (service, driver):
        id = await create(service)
        await until(lambda: _in_lrms(service, id))

        async def follow() -> list[Event]:
            return [event async for events in service.stream(ALICE, [id], after=0) for event in events]

        async with halt.at("after-commit", driver.end(id)):
            assert (await service._store.get([id]))[id].state.final
            whole = asyncio.create_task(follow())
            waiting = asyncio.create_task(
                changed(service, ALICE, id, version=None, wait=LIMIT, closing=asyncio.Event())
            )
            done, _ = await asyncio.wait([whole, waiting], timeout=0.3)
            assert not done, "it has not ended for anybody"
        async with asyncio.timeout(LIMIT):
            assert (await whole)[-1].state is ActivityState.FINISHED
            assert (await waiting).state is ActivityState.FINISHED


async def test_one_that_is_restarted_at_once_when_its_end_is_told_stays_in_hand(tmp_path: Path) -> None:
    """Others that have failed with it are still being recorded."""
    halt = _Halt(tmp_path / "argosy.db")
    async with told_service(tmp_path, store_fault=halt) as (service, driver):
        made = await service.create(ALICE, [CreateRequest(Description(executable="/bin/true"))] * 600)
        ids = [one.activity.id for one in made if isinstance(one, Created)]
        await until(lambda: len(driver.submitted) == 600)

        await until(lambda: _in_lrms(service, *ids))

        async def fail() -> None:
            now = time.time()
            await driver.on_reports([Report(id, id, Phase.ENDED, now, outcome=Outcome.OUT_OF_MEMORY) for id in ids])

        async with halt.at("before-commit", fail()):
            failed = [id for id, one in (await service._store.get(ids)).items() if one.state is ActivityState.FAILED]
            (one, *_) = failed
            await until(lambda: _shows(service, one, ActivityState.FAILED))
            restarting = asyncio.create_task(service.restart(ALICE, [one]))
            await asyncio.wait([restarting], timeout=0.1)
        async with asyncio.timeout(LIMIT):
            assert not [answer for answer in await restarting if isinstance(answer, Exception)]
        await until(lambda: f"{one}-2" in driver.submitted)
        await driver.on_reports(
            [Report(f"{one}-2", f"{one}-2", Phase.ENDED, time.time(), outcome=Outcome.EXITED, exit_code=0)]
        )
        await until(lambda: _shows(service, one, ActivityState.FINISHED))


async def _in_lrms(service: ExecutionService, *ids: str) -> bool:
    return all(one.state.in_lrms for one in (await service._store.get(ids)).values())


async def _shows(service: ExecutionService, id: str, state: ActivityState) -> bool:
    return (await record(service, id)).state is state


async def test_the_status_shows_what_was_told_though_the_rest_is_being_recorded(tmp_path: Path) -> None:
    """So many changes take several transactions, and followers are told after the first: of 512, as a rule."""
    halt = _Halt(tmp_path / "argosy.db")
    async with told_service(tmp_path, store_fault=halt) as (service, driver):
        made = await service.create(ALICE, [CreateRequest(Description(executable="/bin/true"))] * 600)
        ids = [one.activity.id for one in made if isinstance(one, Created)]
        assert len(ids) == 600
        await until(lambda: len(driver.submitted) == 600)
        async with _statuses_when_told(service) as told:
            await until(lambda: {id for id, state, _ in told if state.in_lrms} == set(ids))
            told.clear()
            async with halt.at("before-commit", driver.end(*ids)):
                await until(lambda: len(told) == halt.more > 0)
                last = {id: (state, now) for id, state, now in told}
                assert all(state == now for state, now in last.values())
            await until(lambda: sum(state.final for _, state, _ in told) == 600)
            assert all(now.final for _, state, now in told if state.final)


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
        waiting = asyncio.create_task(changed(service, ALICE, id, version=None, wait=LIMIT, closing=asyncio.Event()))
        done, _ = await asyncio.wait([whole, waiting], timeout=0.3)
        assert not done, "it has not ended"
        await driver.on_reports(
            [Report(f"{id}-2", f"{id}-2", Phase.ENDED, time.time(), outcome=Outcome.EXITED, exit_code=0)]
        )
        assert (await waiting).state is ActivityState.FINISHED
        assert await whole == await service.events(ALICE, id)
