"""A cancel that comes while what it is for is being submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from argosy.executors.contract import JobRequest
from argosy.languages.native import Description
from argosy.model import ActivityDescription, ArgosyError, Unavailable
from argosy.model import ActivityState as S
from argosy.service.contract import CreateRequest
from argosy.store import Activity
from tests.service.driving import ALICE, ToldDriver, record, told_service, until

pytestmark = pytest.mark.anyio


class _SlowToTake(ToldDriver):
    """Takes each submission once it is let go on with."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[list[str], asyncio.Event]] = []
        self.found: list[str] = []

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        go_on = asyncio.Event()
        self.asked.append(([request.tag for request in requests], go_on))
        await go_on.wait()
        return await super().submit(requests)

    async def find(self, tags: Sequence[str], accounts: object = None) -> dict[str, str]:
        self.found += tags
        return await super().find(tags, accounts)

    async def withdraw(self, tags: Sequence[str], accounts: object = None) -> dict[str, str]:
        return await self.find(tags, accounts)


async def test_a_cancel_waits_for_the_submission_that_began_again_on_its_own(tmp_path: Path) -> None:
    """Two are submitted together; one could not be prepared, and is on its way alone when the first call ends."""
    driver = _SlowToTake()
    async with told_service(tmp_path, driver=driver) as (service, _):
        prepare, failed = service._offering.prepare, asyncio.Event()

        async def offered(activity: Activity, description: ActivityDescription) -> dict[str, str]:
            if activity.name == "bad" and not failed.is_set():
                failed.set()
                raise Unavailable("not now")
            return await prepare(activity, description)

        service._offering.prepare = offered
        both = [CreateRequest(Description(executable="/bin/true", name=name)) for name in ("bad", "good")]
        bad, good = [made.activity.id for made in await service.create(ALICE, both)]
        await until(lambda: len(driver.asked) == 2)
        assert [tags for tags, _ in driver.asked] == [[good], [bad]]
        driver.asked[0][1].set()
        await until(lambda: service._engine.get(good).record.native_id == good)
        driver.found.clear()
        await service.terminate(ALICE, [bad])
        await until(lambda: not service._performer.under_way().get("cancel"))
        assert (await record(service, bad)).state is S.TERMINATING
        assert driver.found == [], "nothing is asked of a submission that is under way"
        driver.asked[1][1].set()
        await until(lambda: bad in driver.submitted)
        await until(lambda: service._engine.get(bad).record.native_id == bad)
        await driver.end(bad)
        await until(lambda: service._engine.get(bad) is None)
        assert (await record(service, bad)).state is S.TERMINATED
