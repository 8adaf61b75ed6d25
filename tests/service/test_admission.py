"""Whether new activities are taken: drained services, and what one owner may have. Nothing of a refusal is recorded."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from argosy.client import Description
from argosy.identity import Caller, Role
from argosy.languages import native
from argosy.model import ArgosyError, LimitExceeded, Unavailable
from argosy.service.administration.admission import Drained
from argosy.service.administration.limits import Limits
from argosy.service.contract import CreateRequest
from argosy.service.service import ExecutionService
from argosy.store import Created, Query
from tests.service.driving import ALICE, BOB, create, record, told_service, until
from tests.service.running import RunningService
from tests.service.running import until as until_outside

BOSS = Caller("boss", roles=frozenset({Role.OPERATOR}))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _requests(count: int, *, key: str | None = None, executable: str = "/bin/true") -> list[CreateRequest]:
    description = native.Description(executable=executable, held=True)
    return [CreateRequest(description, None if key is None else f"{key}{number}") for number in range(count)]


async def _ids(service: ExecutionService, caller: Caller = ALICE) -> list[str]:
    records, _ = await service.page(caller, Query(limit=1000))
    return [one.id for one in records]


@pytest.mark.anyio
async def test_a_drained_service_takes_nothing_new_and_everything_else_goes_on(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        running = await create(service)
        (first,) = await service.create(ALICE, _requests(1, key="known"))
        assert isinstance(first, Created)
        await service.drain(BOSS, "new disks", 120.0)
        assert service.notice == "no new activities are taken for the time being: new disks"
        with pytest.raises(Drained) as refused:
            await service.create(ALICE, _requests(2))
        assert refused.value.retry_after == 120.0
        # A repeat is nothing new, among new ones too.
        again, new = await service.create(ALICE, [*_requests(1, key="known"), *_requests(1)])
        assert again == Created(first.activity, existed=True)
        assert isinstance(new, Drained)
        await until(lambda: running in driver.submitted)
        await driver.end(running)
        await until(lambda: _final(service, running))
        assert len(await _ids(service)) == 2
        seen = await service.overview(BOSS)
        assert (seen.drain.by, seen.drain.message) == ("boss", "new disks")
    async with told_service(tmp_path) as (service, _):
        with pytest.raises(Drained):
            await service.create(ALICE, _requests(1))
        await service.admit(BOSS)
        assert service.notice is None
        assert isinstance((await service.create(ALICE, _requests(1)))[0], Created)


async def _final(service: ExecutionService, id: str) -> bool:
    return (await record(service, id)).state.final


@pytest.mark.anyio
async def test_no_more_unfinished_activities_than_allowed(tmp_path: Path) -> None:
    async with told_service(tmp_path, limits=Limits(unfinished=3)) as (service, _):
        answers = await service.create(ALICE, _requests(5, key="k"))
        assert [isinstance(answer, Created) for answer in answers] == [True] * 3 + [False] * 2
        assert isinstance(answers[3], LimitExceeded)
        assert answers[3].retry_after
        ids = await _ids(service)
        assert len(ids) == 3
        # Repeats, and others' activities, are not concerned.
        assert all(isinstance(answer, Created) for answer in await service.create(ALICE, _requests(3, key="k")))
        assert all(isinstance(answer, Created) for answer in await service.create(BOB, _requests(3)))
        await service.terminate(ALICE, ids[:1])
        answers = await service.create(ALICE, _requests(2))
        assert [isinstance(answer, Created) for answer in answers] == [True, False]


@pytest.mark.anyio
async def test_no_more_session_directories_than_allowed(tmp_path: Path) -> None:
    async with told_service(tmp_path, limits=Limits(sessions=2)) as (service, _):
        answers = await service.create(ALICE, _requests(3))
        assert isinstance(answers[2], LimitExceeded)
        ids = await _ids(service)
        await service.terminate(ALICE, ids)
        assert isinstance((await service.create(ALICE, _requests(1)))[0], LimitExceeded), "they are still there"
        await service.purge(ALICE, ids[:1])
        assert isinstance((await service.create(ALICE, _requests(1)))[0], Created)


@pytest.mark.anyio
async def test_creations_at_the_same_moment_do_not_exceed_it_together(tmp_path: Path) -> None:
    async with told_service(tmp_path, limits=Limits(unfinished=50)) as (service, _):
        answers = await asyncio.gather(*(service.create(ALICE, _requests(7)) for _ in range(20)))
        made = sum(isinstance(answer, Created) for some in answers for answer in some)
        assert made == 50 == len(await _ids(service))


@pytest.mark.anyio
async def test_a_vector_is_not_longer_than_allowed(tmp_path: Path) -> None:
    async with told_service(tmp_path, limits=Limits(vector=2)) as (service, _):
        with pytest.raises(LimitExceeded):
            await service.create(ALICE, _requests(3))
        assert await _ids(service) == []


# -- a real service -------------------------------------------------------------------------------


def _http(service: RunningService) -> httpx.Client:
    found = json.loads((service.directory / "endpoint.json").read_text())
    token = (service.directory / "token").read_text().strip()
    return httpx.Client(base_url=found["url"], headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_limits_are_published_and_told_over_http(service: RunningService) -> None:
    (service.directory / "argosy.toml").write_text(
        "[service]\nsweep_limit = 500\nsession_quota = 7000000\n"
        "[limits]\nbody = 2000\nvector_body = 3000\nvector = 3\nunfinished = 2\nrate = 1\nburst = 12\nstreams = 1\n"
    )
    service.start()
    held = {"executable": "/bin/true", "held": True}
    with _http(service) as http:
        document = http.get("/v1/").json()
        told = {"rate": 1.0, "unfinished": 2, "sessions": 1_000_000, "sweep": 500, "session_bytes": 7_000_000}
        assert document["limits"] | told == document["limits"]
        for path, many in (("/v1/activities", 2000), ("/v1/activities/batch", 3000)):
            assert http.post(path, content=b"[" + b" " * many + b"]").status_code == 413
        assert http.post("/v1/activities/batch", json=[{"description": held}] * 4).status_code == 413
        answers = http.post("/v1/activities/batch", json=[{"description": held}] * 3).json()
        assert [answer.get("problem", {}).get("status") for answer in answers] == [None, None, 429]
        refused = http.post("/v1/activities", json=held)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert refused.headers["ratelimit-policy"] == '"requests";q=12;w=12'
        with http.stream("GET", "/v1/events") as stream:
            assert stream.status_code == 200
            assert http.get("/v1/events").status_code == 429
        # How many more are let in is a matter of how quickly they come.
        limited = next(answer for _ in range(1000) if (answer := http.get("/v1/")).status_code == 429)
        assert int(limited.headers["retry-after"]) >= 1
        assert limited.headers["ratelimit"].startswith('"requests";r=0')
        assert limited.json()["code"] == "limit-exceeded"
    with service.client(patience=5.0) as client:
        assert len(list(client.list())) == 2, "the client waits as it is told"
    with service.client(patience=0.0) as client, pytest.raises(LimitExceeded):
        [client.service() for _ in range(1000)]


def test_drain_resume_and_stop_gently(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        client.drain("new disks", retry_after=60)
        assert client.service().notice == "no new activities are taken for the time being: new disks"
        with pytest.raises(Unavailable, match="new disks"):
            client.submit(Description(executable="/bin/true"))
        with _http(service) as http:
            refused = http.post("/v1/activities/batch", json=[{"description": {"executable": "/bin/true"}}])
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
            assert refused.json()["code"] == "drained"
    service.kill()
    service.start()
    with service.client() as client:
        assert client.service_status().drained.message == "new disks"
        # One that does not answer in time is not waited for when the service begins.
        until_outside(lambda: client.service_status().resources[0].opened)
        client.admit()
        ids = [result.activity.id for result in client.submit_many([Description(executable="/bin/true")] * 50)]
        client.stop_service(within=20)
        with service.client(patience=0.0) as hasty, pytest.raises(ArgosyError):
            hasty.submit(Description(executable="/bin/true"))
    until_outside(lambda: service.process.poll() is not None)
    assert service.process.returncode == 0, service.log()
    service.start()
    with service.client() as client:
        assert client.service_status().drained is None, "stopping is not for ever"
        for id in ids:
            assert client.wait(id, 30).state == "finished"
        assert client.counts() == {"finished": 50}


def test_counts_and_status_cost_no_stop_of_the_world(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        client.submit_many([Description(executable="/bin/true", held=True)] * 20)
        status = client.service_status()
        assert status.activities == client.counts() == {"pending:held": 20}
        placed = Counter(status.unplaced)
        for resource in status.resources:
            placed.update(resource.unfinished)
        assert placed == {"pending:held": 20}
        assert status.store_bytes > 0
        assert len(status.workers) == 1
