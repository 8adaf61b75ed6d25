from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argosy.delegation import Keeper, Vault
from argosy.delegation.renewal import Renewer
from argosy.identity import Caller
from argosy.store.sqlite import SQLiteStore

ALICE, BOB = Caller("alice"), Caller("bob")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Kept:
    """A keeper whose clock a test moves, and the database behind it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SQLiteStore(path / "argosy.db")
        self.now = 0.0
        self.told: list[str] = []
        self.open(Vault([bytes(32)]))

    def open(self, vault: Vault, renewer: Renewer | None = None) -> Keeper:
        import time

        self.keeper = Keeper(self.store, vault, renewer, clock=lambda: time.time() + self.now)
        self.keeper.on_renewed.append(lambda one: self.told.append(one.id))
        return self.keeper


@pytest.fixture
async def kept(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    await made.store.open()
    yield made
    await made.keeper.stop()
    await made.store.close()
