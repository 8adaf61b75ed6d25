"""The proxy that came with the request for a sweep: its jobs have it, and it is sealed once for all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

import pytest

from argosy.delegation import Keeper, Vault
from argosy.delegation.keeper import NEEDED
from argosy.identity.caller import Caller
from argosy.languages.sweeps import Options
from argosy.service.matching.resources import Resource
from argosy.service.owners.whose import taken_apart
from argosy.service.service import ExecutionService
from argosy.service.sweeps.contract import SweepRequest
from argosy.store import Query, SweepDocument
from argosy.store.sqlite import SQLiteStore
from tests.delegation.conftest import Kept
from tests.delegation.test_logins import GRID, came, proxy, put
from tests.service.driving import ToldDriver, until

pytestmark = pytest.mark.anyio


class Site(Kept):
    """A host that takes its users' proxies, whose batch system a test decides on."""

    @asynccontextmanager
    async def service(self, driver: ToldDriver) -> AsyncIterator[ExecutionService]:
        self.store = SQLiteStore(self.path / "argosy.db")
        keeper = self.open(Vault([bytes(32)]))
        resources = {"told": Resource("told", driver, by_owner=True)}
        service = ExecutionService(self.store, str(self.path / "sessions"), resources, alone=True, keeper=keeper)
        with patch.object(keeper, "keep", wraps=keeper.keep) as self.keep:
            await service.open()
            try:
                yield service
            finally:
                await service.close()

    async def later(self, keeper: Keeper) -> None:
        self.now += NEEDED + 1
        await keeper.renew_due()


@pytest.fixture
def site(kept: Kept) -> Site:
    return Site(kept.path)


def asked(jobs: int, **description: object) -> SweepRequest:
    text = {
        "description": {"executable": "/bin/true"} | description,
        "sweep": {"parameter": "n", "from": 1, "to": jobs},
    }
    return SweepRequest(SweepDocument("json", True, json.dumps(text).encode()), Options(window=3))


async def proxies(service: ExecutionService, caller: Caller, id: str) -> set[tuple[str, ...]]:
    return {one.credentials for one in (await service.page(caller, Query(sweep=id, limit=100)))[0]}


async def test_all_jobs_have_it_and_it_is_kept_while_the_sweep_lasts(site: Site) -> None:
    driver = ToldDriver()
    async with site.service(driver) as service:
        id = (await service.create_sweep(came(proxy()), asked(7))).sweep.id
        await until(lambda: len(driver.submitted) == 3)
        ((kept,),) = await proxies(service, GRID, id)
        assert site.keep.await_count == 1
        owner, ids = taken_apart(service._resources["told"].whose((await service.page(GRID, Query()))[0][0]) or "")
        assert (owner, ids) == (GRID.name, (kept,))
        await site.later(service.keeper)
        assert await service.keeper.kept(GRID.name, kept)
    # Nobody has looked after anything for a while.
    site.now += NEEDED + 1
    async with site.service(driver) as service:
        assert await service.keeper.kept(GRID.name, kept)
        for ended in (0, 3, 6):
            await until(lambda ended=ended: len(driver.submitted) >= min(ended + 3, 7))
            await driver.end(*driver.submitted[ended : ended + 3])
        assert (await service.sweep(GRID, id, wait=10)).sweep.finished == 7
        assert await proxies(service, GRID, id) == {(kept,)}
        await until(lambda: not service._names(kept))
        await site.later(service.keeper)
        assert await service.keeper.kept(GRID.name, kept) is None, "nothing needs it any more"


async def test_one_that_the_description_names_goes_before_it(site: Site) -> None:
    driver = ToldDriver()
    async with site.service(driver) as service:
        mine = await put(site, proxy())
        id = (await service.create_sweep(came(proxy()), asked(3, credentials=[mine]))).sweep.id
        await until(lambda: len(driver.submitted) == 3)
        assert await proxies(service, GRID, id) == {(mine,)}


async def test_without_one_there_is_none(site: Site) -> None:
    driver = ToldDriver()
    async with site.service(driver) as service:
        id = (await service.create_sweep(GRID, asked(3))).sweep.id
        await until(lambda: len(driver.submitted) == 3)
        assert await proxies(service, GRID, id) == {()}
        assert site.keep.await_count == 0
