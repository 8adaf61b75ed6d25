"""Usage as users see it: totals of real jobs, in the ledger from their end on and after their purge."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from lxml import etree

from argosy.client import Description, Resources
from argosy.executors.contract import Report
from argosy.identity.policy import Role
from argosy.model import ActivityState, Conflict, InvalidInput, NotAllowed, Outcome, Phase, Usage
from argosy.service.caller import Caller
from argosy.store import Activity, Store, UsageQuery
from argosy.store.sqlite import SQLiteStore
from tests import waiting
from tests.service.driving import ALICE, BOB, create, record, told_service, until
from tests.service.running import RunningService
from tests.store.making import activity, change, new
from tests.usage import urf

BURN = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    yield running
    running.end()


def test_totals_are_those_of_the_jobs(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        described = [
            Description(executable="/bin/sh", arguments=["-c", BURN], share="local", name="=burn()"),
            Description(executable="/bin/sh", arguments=["-c", "exit 3"], share="local"),
            Description(executable="/bin/sleep", arguments=["60"], share="local"),
            Description(
                executable="/bin/true",
                share="local",
                account="project",
                resources=Resources(processes=2, cores_per_process=1),
            ),
            Description(executable="/bin/true", share="local", held=True),
        ]
        jobs = [client.submit(one) for one in described]
        client.wait(jobs[1].id, timeout=60)
        waiting.until(lambda: client.status(jobs[2].id).native_id)  # it has a share
        client.terminate(jobs[2].id)
        client.terminate(jobs[4].id)
        done = [client.wait(one.id, timeout=60) for one in jobs]
        records = {one.activity: one for one in client.usage_records()}
        assert set(records) == {one.id for one in jobs}
        for one in done:
            found = records[one.id]
            assert (found.state, found.exit_code, found.native_id) == (one.state, one.exit_code, one.native_id)
            if one.usage is not None:
                assert found.cpu_seconds == one.usage.cpu_seconds
                assert found.max_rss == one.usage.max_rss
            if found.wall_seconds is not None:
                assert found.cores is not None
                assert found.core_seconds == found.cores * found.wall_seconds
        assert records[jobs[0].id].cpu_seconds > 0.05
        assert records[jobs[3].id].cores == 2
        assert records[jobs[4].id].wall_seconds is None
        (total,) = client.usage().items
        assert (total.jobs, total.finished, total.failed, total.terminated) == (5, 3, 0, 2)
        for name in ("cpu_seconds", "wall_seconds", "core_seconds"):
            known = [getattr(one, name) for one in records.values() if getattr(one, name) is not None]
            assert getattr(total, name) == pytest.approx(sum(known)), name
        assert (total.max_rss or 0) == max(one.max_rss or 0 for one in records.values())
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        # One was ended before it had a share.
        nowhere, line = client.usage(["user", "share", "day"]).items
        assert (nowhere.user, nowhere.share, nowhere.jobs) == (done[0].owner, None, 1)
        assert (line.user, line.share, line.jobs) == (done[0].owner, "local", 4)
        assert line.day is not None
        assert line.day <= today
        assert {one.account: one.jobs for one in client.usage(["account"]).items} == {"project": 1, None: 4}
        assert client.usage(since="2999-01-01").items == []
        assert client.usage(until=line.day).items == []
        with pytest.raises(InvalidInput) as wrong:
            client.usage(["colour"])
        assert wrong.value.element == "by"
        assert client.usage(user="somebody else").items == []  # the owner of a service is its administrator

        client.purge(jobs[0].id)
        assert client.usage().items == [total]
        assert [one.activity for one in client.usage_records(activity=jobs[0].id)] == [jobs[0].id]

        root = etree.fromstring(b"".join(client.usage_text("ur")))
        urf.check(root)
        assert len(root) == 5
        lines = list(csv.DictReader(io.StringIO(b"".join(client.usage_text("csv")).decode())))
        assert [one["activity"] for one in lines] == [one.activity for one in client.usage_records()]
        assert {one["activity"]: one["name"] for one in lines}[jobs[0].id] == "'=burn()"
        _, line_csv = csv.DictReader(io.StringIO(b"".join(client.usage_text("csv", by=["share"])).decode()))
        assert (line_csv["share"], line_csv["jobs"]) == ("local", "4")
        assert float(line_csv["cpu_seconds"]) == pytest.approx(total.cpu_seconds)


# -- the ledger ------------------------------------------------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    store = SQLiteStore(tmp_path / "argosy.db")
    await store.open()
    return store


@pytest.mark.anyio
async def test_a_record_is_written_with_the_final_state_or_not_at_all(store: Store) -> None:
    one = activity(state=ActivityState.LRMS_RUNNING, started=100.0, cores=4)
    await store.create([new(one)])
    ended = one.but(state=ActivityState.FAILED, final_at=130.0, ended=125.0, usage=Usage(7.0, None, 9), changed=130.0)
    assert isinstance((await store.change([change(ended.but(version=5))]))[0], Conflict)
    assert await store.usage_records(UsageQuery()) == []
    await store.change([change(ended)])
    (used,) = await store.usage_records(UsageQuery())
    assert (used.cpu_seconds, used.wall_seconds, used.core_seconds, used.max_rss) == (7.0, 25.0, 100.0, 9)
    assert used.final_at == 130.0
    await store.close()


@pytest.mark.anyio
async def test_a_restarted_job_is_counted_once_for_each_job_that_it_had(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        await until(lambda: driver.submitted)
        for tag in (id, f"{id}-2"):
            await until(partial(driver.submitted.__contains__, tag))
            await driver.on_reports([Report(tag, tag, Phase.ENDED, time.time(), outcome=Outcome.TIMEOUT)])
            assert (await record(service, id)).state is ActivityState.FAILED
            if tag == id:
                (again,) = await service.restart(ALICE, [id])
                assert isinstance(again, Activity)
        (total,) = await service.usage(ALICE, UsageQuery())
        assert total.jobs == 2
        assert [one.run for one in await service.usage_records(ALICE, UsageQuery(activity=id))] == [0, 1]


@pytest.mark.anyio
async def test_users_see_their_own_and_administrators_all(tmp_path: Path) -> None:
    root = Caller("root", roles=frozenset({Role.ADMINISTRATOR}))
    async with told_service(tmp_path) as (service, driver):
        for owner in (ALICE, BOB, BOB):
            id = await create(service, owner)
            await until(partial(driver.submitted.__contains__, id))
            await driver.end(id)
        assert len(driver.submitted) == 3
        assert [(one.group, one.jobs) for one in await service.usage(root, UsageQuery(), ["user"])] == [
            (("alice",), 1),
            (("bob",), 2),
        ]
        assert [(one.group, one.jobs) for one in await service.usage(ALICE, UsageQuery(), ["user"])] == [
            (("alice",), 1)
        ]
        assert {one.owner for one in await service.usage_records(BOB, UsageQuery())} == {"bob"}
        assert len(await service.usage_records(root, UsageQuery(owner="bob"))) == 2
        with pytest.raises(NotAllowed):
            await service.usage_records(ALICE, UsageQuery(owner="bob"))
        pages = [page async for page in service.all_usage_records(root, UsageQuery())]
        assert sum(map(len, pages)) == 3
        first = await service.usage_records(root, UsageQuery(), limit=2)
        rest = await service.usage_records(root, UsageQuery(), after=(first[-1].final_at, first[-1].number))
        assert len({one.activity for one in [*first, *rest]}) == 3
        await service._store.trim_usage(time.time() + 1)
        assert await service.usage(root, UsageQuery()) == []
