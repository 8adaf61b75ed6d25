"""The store under test: every implementation goes through the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from argosy.store import Store
from argosy.store.sqlite import SQLiteStore

Opener = Callable[..., Awaitable[Store]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Opener]:
    """Opens a store on the records that are there; each call as a process of its own would. Another name is another
    one."""
    opened: list[Store] = []

    async def opener(name: str = "store") -> Store:
        store = {"sqlite": lambda: SQLiteStore(tmp_path / name / "argosy.db")}[request.param]()
        await store.open()
        opened.append(store)
        return store

    yield opener
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Opener) -> Store:
    return await open_store()
