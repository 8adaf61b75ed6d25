"""A directory of another host whose watching begins late."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from argosy.transport.shell import watching

pytestmark = pytest.mark.anyio


async def test_whoever_was_not_waited_for_is_told_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came there between their own look and that is told of by nobody else."""
    monkeypatch.setattr(watching, "_FIRST", 0.01)
    monkeypatch.setattr(secrets, "token_hex", lambda size: "mark")
    answers = asyncio.Event()

    class Slow:
        where = "there"

        async def stream(self, script: str, printed: Callable[[bytes], None]) -> None:
            await answers.wait()
            printed(b"mark.")
            await asyncio.Event().wait()

    changed = asyncio.Event()
    connection: Any = Slow()
    watch = watching.Watch(connection, "/spool", changed.set)
    assert await watch.begun()
    assert not changed.is_set()
    answers.set()
    async with asyncio.timeout(60):
        await changed.wait()
    watch.stop()
