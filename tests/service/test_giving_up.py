"""A submission that never gets an answer is given up, and is not carried out after that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from argosy.executors.contract import JobRequest
from argosy.model import ActivityState, ArgosyError, Unavailable
from argosy.service.service import ExecutionService
from tests.service.driving import ALICE, ToldDriver, create, record, told_service, until


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Deaf(ToldDriver):
    """Its batch system has not answered a submission; what is `begun` it has accepted all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf = True
        self.withdrawn: list[str] = []
        self.begun: dict[str, str] | Unavailable = {}

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        if self.deaf:
            return [Unavailable("no answer") for _ in requests]
        return await super().submit(requests)

    async def withdraw(self, tags: Sequence[str], accounts: object = None) -> dict[str, str]:
        self.withdrawn += tags
        if isinstance(self.begun, Unavailable):
            raise self.begun
        return {tag: self.begun["any"] for tag in tags if self.begun}


async def _is(service: ExecutionService, id: str, state: ActivityState) -> bool:
    return (await record(service, id)).state is state


@pytest.mark.anyio
async def test_it_is_withdrawn_and_restarted_under_another_tag(tmp_path: Path) -> None:
    driver = _Deaf()
    async with told_service(tmp_path, driver=driver, give_up_after=0.05) as (service, _):
        id = await create(service)
        await until(lambda: _is(service, id, ActivityState.FAILED))
        assert driver.withdrawn == [id]
        driver.deaf = False
        await service.restart(ALICE, [id])
        await until(lambda: _is(service, id, ActivityState.SUBMITTED))
        assert driver.submitted == [f"{id}-2"]


@pytest.mark.anyio
async def test_what_cannot_be_withdrawn_is_looked_for_when_it_is_restarted(tmp_path: Path) -> None:
    driver = _Deaf()
    driver.begun = Unavailable("the spool is away")
    async with told_service(tmp_path, driver=driver, give_up_after=0.05) as (service, _):
        id = await create(service)
        await until(lambda: _is(service, id, ActivityState.FAILED))
        driver.deaf = False
        await service.restart(ALICE, [id])
        await until(lambda: _is(service, id, ActivityState.SUBMITTED))
        assert driver.submitted == [id]


@pytest.mark.anyio
async def test_what_has_begun_is_not_given_up(tmp_path: Path) -> None:
    driver = _Deaf()
    driver.begun = {"any": "7"}
    async with told_service(tmp_path, driver=driver, give_up_after=0.05) as (service, _):
        id = await create(service)
        await until(lambda: _is(service, id, ActivityState.SUBMITTED))
        assert (await record(service, id)).native_id == "7"


@pytest.mark.anyio
async def test_the_claims_of_what_was_withdrawn_outlive_it(tmp_path: Path) -> None:
    driver = _Deaf()
    async with told_service(tmp_path, driver=driver, give_up_after=1000.0, retry_first=1000.0) as (service, _):
        id = await create(service)
        await service.terminate(ALICE, [id])
        await until(lambda: _is(service, id, ActivityState.TERMINATED))
        assert set(driver.withdrawn) == {id}
        await service.purge(ALICE, [id])
        # Its session directory goes at once, what is kept of its job when no copy can come any more.
        await until(lambda: _deferred(service))
        (chore,) = await service._store.chores(time.time() + 2000, 10)
        assert (chore.kind, chore.payload["tag"], chore.payload["native_id"]) == ("forget", id, "")
        assert driver.forgotten == []


async def _deferred(service: ExecutionService) -> bool:
    chores = await service._store.chores(time.time() + 2000, 10)
    return len(chores) == 1 and chores[0].due > time.time() + 500
