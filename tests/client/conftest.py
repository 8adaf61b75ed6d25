from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client, Endpoint
from tests.rest.fake import TOKEN
from tests.rest.live import Live, live_server


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    (tmp_path / "home").mkdir(mode=0o700)
    with live_server(tmp_path / "home") as server:
        yield server


@pytest.fixture(params=["tcp", "unix"])
def endpoint(live: Live, request: pytest.FixtureRequest) -> Endpoint:
    return Endpoint(live.addresses.url, TOKEN, live.addresses.socket if request.param == "unix" else None)


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[Client]:
    with Client(endpoint) as connected:
        yield connected
