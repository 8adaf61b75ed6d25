from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from argosy.endpoints.door import Door
from argosy.endpoints.rest import RestApp, bearer, make_app
from tests.rest.fake import CALLER, TOKEN, FakeOperations
from tests.rest.live import Live, live_server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def operations() -> FakeOperations:
    return FakeOperations()


@pytest.fixture
def app(operations: FakeOperations) -> RestApp:
    return make_app(operations, Door(bearer(TOKEN, CALLER)), version="0.test")


@pytest.fixture
async def http(app: RestApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path) as server:
        yield server
