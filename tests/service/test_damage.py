"""The database is damaged where one activity is recorded."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from argosy.executors.contract import Handle
from argosy.model import ActivityState as S
from argosy.model import Conflict, Unavailable
from argosy.store import Activity, Change
from argosy.store.sqlite import operations
from tests.service.driving import create, record, told_service, until
from tests.waiting import LIMIT

pytestmark = pytest.mark.anyio


async def test_damage_where_one_is_recorded_keeps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with told_service(tmp_path, housekeeping=0.05) as (service, driver):
        bad, good, other = [await create(service) for _ in range(3)]
        await until(
            lambda: all((live := service._engine.get(id)) and live.record.native_id for id in (bad, good, other))
        )
        real, writer, told = operations.change, service._store._writer, []

        def damaged(change: Change) -> Callable[..., object]:
            def step(*_: object) -> object:
                raise sqlite3.DatabaseError("database disk image is malformed")

            return step if change.activity.id == bad else real(change)

        monkeypatch.setattr(operations, "change", damaged)
        fail = writer._fail

        def failed(*what: object) -> None:
            fail(*what)
            told.append(writer.trouble)  # here: the next that is recorded whole ends it

        monkeypatch.setattr(writer, "_fail", failed)
        async with asyncio.timeout(LIMIT):
            await driver.end(bad, good)
            await driver.end(other)
        assert (await record(service, good)).state is S.FINISHED
        assert (await record(service, other)).state is S.FINISHED
        assert not (await record(service, bad)).state.final
        assert any(one is not None and "malformed" in one.words for one in told)
        monkeypatch.setattr(operations, "change", real)  # it is repaired
        await until(lambda: service._engine.get(bad))
        await driver.end(bad)
        assert (await record(service, bad)).state is S.FINISHED


async def test_what_was_recorded_before_the_disk_was_full_is_gone_on_with(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        ids = [await create(service) for _ in range(2)]
        await until(lambda: all((live := service._engine.get(id)) and live.record.native_id for id in ids))
        real, calls, settled = service._store.change, [], []

        async def partly(changes: Sequence[Change]) -> list[Activity | Conflict]:
            calls.append(len(changes))
            if len(calls) == 1:
                await real(changes[:1])
                raise Unavailable("the disk is full")
            return await real(changes)

        async def settle(handles: Sequence[Handle]) -> None:
            settled.extend(handle.tag for handle in handles)

        service._store.change, driver.settled = partly, settle
        async with asyncio.timeout(LIMIT):
            await driver.end(*ids)
        assert calls[:2] == [2, 1]
        for id in ids:
            assert (await record(service, id)).state is S.FINISHED
        await until(lambda: sorted(settled) == sorted(ids))
