"""Those who watch services ask whether it is ready, without a credential, and are told no more than that."""

from __future__ import annotations

import httpx
import pytest

from argosy.endpoints.rest.app import RestApp
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio


async def test_ready_and_not(app: RestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as nobody:
        answer = await nobody.get("/v1/ready")
        assert (answer.status_code, answer.json()) == (200, {"ready": True})
        monkeypatch.setattr(FakeOperations, "unready", ["store"])
        answer = await nobody.get("/v1/ready")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "no requests can be taken now: store"
        assert (await nobody.get("/v1/")).status_code == 401
