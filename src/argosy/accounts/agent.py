"""The agent: does, as the account that it runs as, what its standard input asks for.

It takes no arguments, so that a rule of sudo can allow it without any. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import resource
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from argosy.model import ArgosyError, Unavailable

from . import wire
from .wire import Ask, Cancel, Done, More, Tell

log = logging.getLogger(__name__)

#: How many pieces of an upload wait to be written.
_AHEAD = 16


class Request:
    """One thing that is asked for, for whoever does it."""

    def __init__(self, ask: Ask, send: Callable[[wire.Message], Awaitable[None]]) -> None:
        self.what = ask.what
        self.args = ask.args
        self._id = ask.id
        self._send = send
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)
        self._newest: object = None
        self._telling: asyncio.Task[None] | None = None

    async def content(self) -> AsyncIterator[bytes]:
        """The content that comes with the request."""
        while piece := await self._pieces.get():
            yield piece

    async def more(self, data: bytes) -> None:
        """A piece of it has come."""
        await self._pieces.put(data)

    async def tell(self, value: object) -> None:
        """Tell something on the way."""
        await self._send(Tell(self._id, value))

    def tell_soon(self, value: object) -> None:
        """The same from where nothing can be waited for. While one is on its way the newest alone follows it."""
        self._newest = value
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_newest())

    async def _tell_newest(self) -> None:
        while self._newest is not None:
            value, self._newest = self._newest, None
            await self.tell(value)


#: Does one kind of thing; what it returns is the answer.
Handler = Callable[[Request], Awaitable[Any]]
#: From what the service tells at the beginning (filled in before anything else is asked) to the handlers by name, and
#: what closes what they hold.
Make = Callable[[Mapping[str, Any]], tuple[dict[str, Handler], Callable[[], Awaitable[None]]]]


async def serve(handlers: Mapping[str, Handler], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do what is asked for until nothing more can come."""
    writing = asyncio.Lock()
    under_way: dict[int, tuple[Request, asyncio.Task[None]]] = {}

    async def send(message: wire.Message) -> None:
        async with writing:
            writer.write(wire.encode(message))
            await writer.drain()

    async def do(ask: Ask, request: Request) -> None:
        try:
            answer = Done(ask.id, await handlers.get(ask.what, _unknown)(request))
        except ArgosyError as error:
            answer = Done(ask.id, problem=wire.problem_of(error))
        except OSError as error:
            words = f"{error.filename or ask.what}: {error.strerror or error}"
            answer = Done(ask.id, problem=wire.problem_of(Unavailable(words)))
        except Exception as error:
            log.exception("%s failed", ask.what)
            answer = Done(ask.id, problem=wire.Problem("internal", f"{ask.what} failed in the agent: {error!r}"))
        with contextlib.suppress(ConnectionError):
            await send(answer)

    try:
        while (message := await wire.read(reader)) is not None:
            if isinstance(message, Ask):
                request = Request(message, send)
                task = asyncio.create_task(do(message, request))
                under_way[message.id] = request, task
                task.add_done_callback(partial(_forget, under_way, message.id))
            elif (found := under_way.get(message.id)) is None:
                continue  # it has ended meanwhile
            elif isinstance(message, More):
                more = asyncio.create_task(found[0].more(message.data))
                await asyncio.wait({more, found[1]}, return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
            elif isinstance(message, Cancel):
                found[1].cancel()
    finally:
        tasks = [task for _, task in under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _forget(under_way: dict[int, tuple[Request, asyncio.Task[None]]], id: int, task: asyncio.Task[None]) -> None:
    del task
    under_way.pop(id, None)


async def _unknown(request: Request) -> None:
    raise Unavailable(f"this agent cannot do {request.what!r}: it is of another version than the service")


async def _pipes() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    # Only the agent talks over its own output: what a library prints by accident must not get among the messages.
    out = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=wire.MOST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, out)
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


async def _main(make: Make) -> None:
    reader, writer = await _pipes()
    configuration: dict[str, Any] = {}

    async def hello(request: Request) -> list[Any]:
        """Who the agent runs as, the account's name and number; and what the service wants it to know."""
        configuration.update(request.args)
        uid = os.geteuid()
        return [pwd.getpwuid(uid).pw_name, uid]

    handlers, close = make(configuration)
    try:
        await serve({"hello": hello, **handlers}, reader, writer)
    finally:
        await close()


def run(make: Make) -> None:
    """The program; `make` gives what it can do."""
    logging.basicConfig(level=logging.WARNING, format="argosy-agent: %(message)s")
    if len(sys.argv) > 1:
        raise SystemExit("argosy-agent takes no arguments: the service starts it and speaks to it")
    if not all(stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) for mode in (os.fstat(fd).st_mode for fd in (0, 1))):
        raise SystemExit("argosy-agent is started by the service, which speaks to it over pipes")
    os.umask(0o077)
    # It holds credentials of its user for a while: they must not be in a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(os.path.expanduser("~") if os.path.isdir(os.path.expanduser("~")) else "/")
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_main(make))
