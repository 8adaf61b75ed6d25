"""An asyncio client of the reaper: requests and answers over its socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

from argosy.model import Unavailable

from .clients import LIMIT

#: How long the reaper may take to answer, in seconds.
PATIENCE = 60.0


class Connection:
    """One connection, until it breaks. `on_states` is called with what the reaper tells of jobs."""

    def __init__(self, on_states: Callable[[list[dict[str, Any]]], None]) -> None:
        self._on_states = on_states
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, connected: socket.socket) -> None:
        """Begin on a connected socket."""
        connected.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=connected, limit=LIMIT)
        self._task = asyncio.create_task(self._read(reader))

    async def broken(self) -> None:
        """Wait until the connection has broken."""
        assert self._task is not None
        await asyncio.wait([self._task])

    async def request(self, do: str, **fields: Any) -> Any:
        """The answer to a request. Raises Unavailable where none came; what was asked for may have been done."""
        return await self.send(do, json.dumps(fields, separators=(",", ":"))[1:-1])

    async def send(self, do: str, fields: str) -> Any:
        """As `request`, its fields already in JSON."""
        writer = self._writer
        if writer is None or self._task is None or self._task.done():
            raise Unavailable("there is no connection to the reaper")
        self._last += 1
        number = self._last
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            writer.write(f'{{"id":{number},"do":"{do}"{"," if fields else ""}{fields}}}\n'.encode("ascii"))
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
                return await answer
        except TimeoutError:
            raise Unavailable(f"the reaper has not answered within {PATIENCE:.0f} seconds") from None
        except OSError as error:
            raise Unavailable(f"the connection to the reaper broke: {error}") from error
        finally:
            self._pending.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, even where the wait for it was cancelled

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _read(self, reader: asyncio.StreamReader) -> None:
        words = "the connection to the reaper was closed"
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            words = f"the connection to the reaper broke: {error}"
        finally:
            assert self._writer is not None
            self._writer.close()
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(Unavailable(words))

    def _take(self, message: dict[str, Any]) -> None:
        if "jobs" in message:
            self._on_states(message["jobs"])
            return
        answer = self._pending.get(message.get("id", 0))
        if answer is not None and not answer.done():
            if "error" in message:
                answer.set_exception(Unavailable(f"the reaper did not understand: {message['error']}"))
            else:
                answer.set_result(message["answer"])
