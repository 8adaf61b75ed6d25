"""Changing the status of activities over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio


async def _create(http: httpx.AsyncClient) -> str:
    return str((await http.post("/v1/activities", json={"executable": "/bin/true"})).json()["id"])


async def test_one(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await _create(http)
    answer = await http.post(f"/v1/activities/{id}/state?wait=3", json={"action": "hold"})
    assert answer.status_code == 202, "it has not come about"
    assert answer.json()["asked"] == "hold"
    assert operations.asked == [(id, "hold", None, 3.0)]
    operations.activities[id] = operations.activities[id].but(wish=None)
    operations.advance(id, operations.activities[id].state)
    assert (await http.get(f"/v1/activities/{id}")).json().get("asked") is None


async def test_a_conflict_says_what_is_allowed(http: httpx.AsyncClient) -> None:
    id = await _create(http)
    answer = await http.post(f"/v1/activities/{id}/state", json={"action": "suspend"})
    assert answer.status_code == 409
    assert answer.json()["allowed"] == ["hold"]
    assert answer.json()["code"] == "invalid-state"


async def test_many_are_answered_in_order(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    ids = [await _create(http) for _ in range(2)]
    body = [
        {"id": ids[0], "action": "hold"},
        {"id": "nothing", "action": "hold"},
        {"id": ids[1], "state": "pending:held"},
        {"id": ids[1], "action": "suspend"},
    ]
    answer = await http.post("/v1/activities/actions", json=body)
    assert answer.status_code == 200
    found = answer.json()
    assert [one.get("activity", {}).get("id") for one in found] == [ids[0], None, ids[1], None]
    assert [one.get("problem", {}).get("status") for one in found] == [None, 404, None, 409]
    assert operations.asked == [(ids[0], "hold", None, 10.0), (ids[1], None, "pending:held", 10.0)]


@pytest.mark.parametrize(
    ("body", "element"),
    [({"action": 3}, "action"), ({"dance": "hold"}, "dance"), ([], None)],
)
async def test_what_is_no_change_is_refused(http: httpx.AsyncClient, body: object, element: str | None) -> None:
    answer = await http.post("/v1/activities/some/state", json=body)
    assert answer.status_code == 422
    assert answer.json().get("element") in (element, None)


async def test_the_longest_wait(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/activities/some/state?wait=61", json={"action": "hold"})
    assert answer.status_code == 422
    assert answer.json()["element"] == "wait"
