"""Listing over HTTP: words for several states, and whose activities."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from argosy.identity import Caller, Role
from argosy.model import ActivityState
from argosy.service.contract import EVERYBODY
from argosy.store import Query
from tests.rest.fake import FakeOperations
from tests.service.driving import ALICE, BOB, create, told_service

pytestmark = pytest.mark.anyio


async def test_active_and_final(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    ids = [(await http.post("/v1/activities", json={"executable": "/bin/true"})).json()["id"] for _ in range(3)]
    operations.advance(ids[0], ActivityState.FINISHED)
    operations.advance(ids[1], ActivityState.LRMS_RUNNING)

    async def found(*states: str) -> set[str]:
        page = await http.get("/v1/activities", params={"state": list(states)})
        return {one["id"] for one in page.json()["items"]}

    assert await found("final") == {ids[0]}
    assert await found("active") == {ids[1], ids[2]}
    assert await found("active", "final") == set(ids)
    assert await found("final", "running:lrms") == {ids[0], ids[1]}
    refused = await http.get("/v1/activities", params={"state": "finished:well"})
    assert refused.status_code == 422
    assert "active" in refused.json()["detail"]


async def test_whose_are_listed(tmp_path: Path) -> None:
    boss = Caller("boss", roles=frozenset({Role.USER, Role.OPERATOR}))
    async with told_service(tmp_path) as (service, _):
        hers, his, theirs = [await create(service, caller, held=True) for caller in (ALICE, BOB, boss)]

        async def listed(caller: Caller, owner: str | None) -> set[str]:
            records, _ = await service.page(caller, Query(owner=owner))
            return {record.id for record in records}

        assert await listed(ALICE, None) == await listed(ALICE, EVERYBODY) == await listed(ALICE, "alice") == {hers}
        assert await listed(ALICE, "bob") == set()
        assert await listed(boss, None) == {theirs}
        assert await listed(boss, "alice") == {hers}
        assert await listed(boss, EVERYBODY) == {hers, his, theirs}
