"""What is recorded is done, whatever became of the request that recorded it, and of the machine's clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from argosy.languages.native import Description
from argosy.model import ActivityState, InvalidStateException, Unavailable
from argosy.service.contract import CreateRequest
from argosy.service.service import ExecutionService
from argosy.store import Created, Query
from tests.service.driving import ALICE, create, record, told_service, until
from tests.waiting import LIMIT


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _request(key: str) -> CreateRequest:
    return CreateRequest(Description(executable="/bin/true"), key)


@pytest.mark.anyio
async def test_a_vector_whose_last_part_failed_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full after some of it: the store has those, and raises."""
    async with told_service(tmp_path, housekeeping=0.05) as (service, driver):
        real = service._store.create

        async def partly(new: Sequence[Any]) -> list[Any]:
            await real(new[:2])
            raise Unavailable("the disk is full")

        monkeypatch.setattr(service._store, "create", partly)
        with pytest.raises(Unavailable):
            await service.create(ALICE, [_request(key) for key in "abc"])
        monkeypatch.setattr(service._store, "create", real)
        answers = await service.create(ALICE, [_request(key) for key in "abc"])
        made = [answer for answer in answers if isinstance(answer, Created)]
        assert [one.existed for one in made] == [True, True, False]
        ids = [one.activity.id for one in made]
        await until(lambda: sorted(driver.submitted) == sorted(ids))
        await driver.end(*ids)
        for id in ids:
            assert (await record(service, id)).state is ActivityState.FINISHED
        assert len((await service.page(ALICE, Query()))[0]) == 3


@pytest.mark.anyio
async def test_a_worker_does_not_take_its_own_from_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the machine has slept, or its clock was put forward, the worker has said nothing for too long."""
    async with told_service(tmp_path, housekeeping=0.05) as (service, driver):
        id = await create(service)
        await until(lambda: _is_submitted(service, id))  # and that is recorded: nothing is on its way to be
        before = await record(service, id)
        now = time.time
        for shift in (100_000.0, -100_000.0):
            monkeypatch.setattr(time, "time", lambda shift=shift: now() + shift)
            for _ in range(3):
                await service._housekeeping._take()
                await service._housekeeping._overlooked()
        assert (await record(service, id)).version == before.version
        assert driver.submitted == [id]
        await driver.end(id)
        assert (await record(service, id)).state is ActivityState.FINISHED


@pytest.mark.anyio
async def test_what_is_taken_up_before_its_creation_is_answered_is_submitted_once(tmp_path: Path) -> None:
    """It is on the disk, and housekeeping comes by twice before whoever recorded it is told so."""
    halted, there, go_on = False, threading.Event(), threading.Event()

    def halt(point: str) -> None:
        if halted and point == "after-commit":
            there.set()
            assert go_on.wait(60)

    async with told_service(tmp_path, store_fault=halt, housekeeping=3600) as (service, driver):
        halted = True
        creating = asyncio.create_task(create(service))
        await until(there.is_set)
        halted = False
        for _ in range(2):
            await service._housekeeping._overlooked()
        await until(lambda: driver.submitted)
        go_on.set()
        id = await creating
        await until(lambda: _is_submitted(service, id))
        other = await create(service)  # what the answer has begun is done before
        await until(lambda: _is_submitted(service, other))
        assert driver.submitted == [id, other]


async def _is_submitted(service: ExecutionService, id: str) -> bool:
    return (await record(service, id)).state is ActivityState.SUBMITTED


@pytest.mark.anyio
async def test_a_purge_does_not_wait_for_ever_for_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argosy.service.activities.operations.ENDING", 0.2)
    async with told_service(tmp_path) as (service, driver):
        id, other = await create(service), await create(service, held=True)
        await until(lambda: driver.submitted == [id])
        async with asyncio.timeout(LIMIT):
            slow, done = await service.purge(ALICE, [id, other], terminate=True)
        assert isinstance(slow, InvalidStateException)
        assert "purge it later" in slow.message
        assert done is None
        await driver.end(id)
        assert await service.purge(ALICE, [id], terminate=True) == [None]
