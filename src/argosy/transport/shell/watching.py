"""Watching a directory of another host: a script there that says when its names change, started again when lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

from argosy.model import Unavailable

from . import remote
from .connection import Connection

log = logging.getLogger(__name__)

#: Between looks at the directory, in seconds.
_INTERVAL = 0.5
#: How long the first look may take, in seconds.
_FIRST = 30.0
#: Between attempts to go on after the connection was lost: doubles from the first to the last. Seconds.
_AGAIN_FIRST = 0.5
_AGAIN_MOST = 30.0


class Watch:
    """One directory. `started` becomes True when it is being looked at, False where that cannot be done."""

    def __init__(self, connection: Connection, directory: str, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._directory = directory
        self._changed = changed
        self._working = False
        self.started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._go_on())

    async def begun(self) -> bool:
        """Whether the directory is being watched. A host that is away for now is waited for in the background."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST):
                return await asyncio.shield(self.started)
        if not self.started.done():
            self.started.set_result(True)  # whoever asked looks now, and is told when it has begun
        return self.started.result()

    def stop(self) -> None:
        """End it, here and there."""
        self._task.cancel()

    async def _go_on(self) -> None:
        wait = _AGAIN_FIRST
        while True:
            self._working = False
            try:
                await self._look()
            except Unavailable as error:
                log.debug("%s on %s is not watched for now: %s", self._directory, self._connection.where, error)
            if not self.started.done():
                self.started.set_result(False)
            wait = _AGAIN_FIRST if self._working else min(wait * 2, _AGAIN_MOST)
            await asyncio.sleep(wait)

    async def _look(self) -> None:
        mark = secrets.token_hex(16)
        before = b""

        def printed(data: bytes) -> None:
            # What comes before the mark is of the login shell's own files.
            nonlocal before
            if not self._working:
                before += data
                _, begun, data = before.partition(mark.encode() + b".")
                if not begun:
                    before = before[-1000:]
                    return
                self._begin()
            if b"+" in data:
                self._changed()

        await self._connection.stream(remote.script(mark, remote.watch(self._directory, _INTERVAL)), printed)

    def _begin(self) -> None:
        self._working = True
        if self.started.done():
            self._changed()  # something may have changed while nobody was looking
        else:
            self.started.set_result(True)
