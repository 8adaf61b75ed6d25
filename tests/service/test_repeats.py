"""Repeating a creation: the same key answers with the first activity, whatever happens in between."""

from __future__ import annotations

import asyncio
import concurrent.futures
from pathlib import Path

import pytest

from argosy.client import Description
from argosy.languages import native
from argosy.model import Conflict, clock
from argosy.service.contract import CreateRequest
from argosy.store import Created, Query
from tests.service.driving import ALICE, BOB, told_service
from tests.service.running import RunningService


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _request(key: str | None, executable: str = "/bin/true") -> CreateRequest:
    return CreateRequest(native.Description(executable=executable, held=True), key)


@pytest.mark.anyio
async def test_a_vector_with_keys_is_answered_in_order(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        first, second, again, other, none = await service.create(
            ALICE, [_request("a"), _request("b"), _request("a"), _request("b", "/bin/false"), _request(None)]
        )
        assert again == Created(first.activity, existed=True)
        assert isinstance(other, Conflict)
        assert "'b'" in other.message
        assert second.activity.id in other.message
        assert not none.existed
        assert len((await service.page(ALICE, Query()))[0]) == 3
        # Keys are each owner's own.
        (theirs,) = await service.create(BOB, [_request("a")])
        assert not theirs.existed


@pytest.mark.anyio
async def test_the_same_key_at_the_same_moment_makes_one(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        answers = await asyncio.gather(*(service.create(ALICE, [_request("once")]) for _ in range(50)))
        made = [answer for (answer,) in answers]
        assert sum(not answer.existed for answer in made) == 1
        assert len({answer.activity.id for answer in made}) == 1


@pytest.mark.anyio
async def test_a_key_is_free_again_when_it_has_expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with told_service(tmp_path, key_lifetime=1000.0) as (service, _):
        (first,) = await service.create(ALICE, [_request("k")])
        (again,) = await service.create(ALICE, [_request("k")])
        assert again.existed
        (refused,) = await service.create(ALICE, [_request("k", "/bin/false")])
        assert isinstance(refused, Conflict)
        now = clock.now
        monkeypatch.setattr(clock, "now", lambda: now() + 1001)
        (other,) = await service.create(ALICE, [_request("k", "/bin/false")])
        assert isinstance(other, Created)
        assert not other.existed
        assert other.activity.id != first.activity.id


def test_over_http_across_a_kill(service: RunningService) -> None:
    service.start()
    body = {"executable": "/bin/true", "held": True}
    with service.client() as client:
        send = client._http.post
        made = send("/v1/activities", json=body, headers={"Idempotency-Key": "one"})
        assert made.status_code == 201
        id = made.json()["id"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            sent = [
                pool.submit(send, "/v1/activities", json=body, headers={"Idempotency-Key": "two"}) for _ in range(16)
            ]
            answers = [one.result() for one in sent]
        assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
    service.kill()
    service.start()
    with service.client() as client:
        send = client._http.post
        again = send("/v1/activities", json=body, headers={"Idempotency-Key": "one"})
        assert (again.status_code, again.json()["id"]) == (200, id)
        other = send("/v1/activities", json=body | {"executable": "/bin/false"}, headers={"Idempotency-Key": "one"})
        assert (other.status_code, other.json()["code"]) == (409, "conflict")
        assert "'one'" in other.json()["detail"]
        assert len(list(client.list())) == 2
        client.terminate(id)
        client.wait(id, 30)
        client.purge(id)
        gone = send("/v1/activities", json=body, headers={"Idempotency-Key": "one"})
        assert gone.status_code == 409, "it ran, and does not run again"


def test_ten_thousand_in_one_request_in_order(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        wanted = [Description(executable="/bin/true", name=f"n{number}", held=True) for number in range(10_000)]
        results = client.submit_many(wanted, keys=[f"k{number}" for number in range(10_000)])
        assert [result.activity.name for result in results] == [one.name for one in wanted]
        again = client.submit_many(wanted[:100], keys=[f"k{number}" for number in range(100)])
        assert [one.activity.id for one in again] == [one.activity.id for one in results[:100]]
