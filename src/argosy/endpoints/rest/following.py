"""A file while it grows: what is there, and then what is added, until its activity has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from argosy.model import ArgosyError
from argosy.service.caller import Caller
from argosy.service.contract import OpenFile, Operations

from .waiting import status

#: Between two looks at a file that does not grow, in seconds; while it grows, there is none.
_FIRST, _MOST = 0.1, 1.0
_CHUNK = 512 * 1024


class Following:
    """The bytes of an open file from `start` on, as they are written. Closing it closes the file."""

    def __init__(
        self, operations: Operations, caller: Caller, id: str, file: OpenFile, start: int, closing: asyncio.Event
    ) -> None:
        self._operations = operations
        self._caller = caller
        self._id = id
        self._file: OpenFile | None = file
        self._at = start
        self._closing = closing
        self._closed: asyncio.Task[bool] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        wait = _FIRST
        while self._file is not None and not self._closing.is_set():
            # In this order: what was written before the end is read after it was seen.
            over = await self._over()
            data = await asyncio.to_thread(self._file.read, self._at, _CHUNK)
            if data:
                self._at += len(data)
                return data
            if over:
                break
            await self._pause(wait)
            wait = min(wait * 2, _MOST)
        raise StopAsyncIteration

    async def _over(self) -> bool:
        try:
            return (await status(self._operations, self._caller, self._id)).state.final
        except ArgosyError:
            return True  # purged, with its files

    async def _pause(self, seconds: float) -> None:
        if self._closed is None:
            self._closed = asyncio.create_task(self._closing.wait())
        await asyncio.wait({self._closed}, timeout=seconds)

    async def aclose(self) -> None:
        if self._closed is not None:
            self._closed.cancel()
            await asyncio.gather(self._closed, return_exceptions=True)
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
