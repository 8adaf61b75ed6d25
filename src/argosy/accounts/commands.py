"""Batch commands and their small files as another account: a transport over an agent, and its other side.

Texts that are no UTF-8 travel as bytes, as the operating system has them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from argosy.model import ArgosyError, Command, Completed, Unavailable
from argosy.transport import Transport
from argosy.transport.local import LocalTransport

from .agent import Handler, Request
from .channel import Agent

#: Beyond a command's own time, for the way there and back, in seconds.
_LATE = 15.0
#: For a small file, or a look at many, in seconds.
_PATIENCE = 120.0
#: Before a lost watch is asked for again, in seconds.
_AGAIN = 5.0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class AgentTransport(Transport):
    """This machine, as the account of an agent. The agent stays when this is closed: it serves others too."""

    def __init__(self, agent: Agent) -> None:
        self.where = f"this machine as {agent.account}"
        self._agent = agent
        self._asked: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def _ask(self, what: str, **args: Any) -> Any:
        if self._closed:
            raise Unavailable(f"the transport to {self.where} is closed")
        task = asyncio.create_task(self._agent.ask(what, **args))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        try:
            async with asyncio.timeout(None if what == "run" else _PATIENCE):
                return await task
        except TimeoutError:
            raise Unavailable(f"the agent gave no answer within {_PATIENCE:g} s on {self.where}") from None
        except asyncio.CancelledError:
            if self._closed:
                raise Unavailable(f"the transport to {self.where} is closed") from None
            raise

    async def run(self, command: Command, *, timeout: float) -> Completed:
        environment = {name: None if value is None else _bytes(value) for name, value in command.environment.items()}
        try:
            async with asyncio.timeout(timeout + _LATE):
                code, out, err = await self._ask(
                    "run",
                    argv=[_bytes(word) for word in command.argv],
                    stdin=_bytes(command.stdin),
                    environment=environment,
                    timeout=timeout,
                )
        except TimeoutError:
            raise Unavailable(f"{command.argv[0]} gave no answer within {timeout:g} s on {self.where}") from None
        return Completed(command.argv, code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    async def home(self) -> str:
        return _text(await self._ask("home"))

    async def make_directories(self, paths: Sequence[str]) -> None:
        await self._ask("make-directories", paths=[_bytes(path) for path in paths])

    async def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        await self._ask("write", path=_bytes(path), data=data, mode=mode)

    async def read(self, path: str) -> bytes | None:
        data: bytes | None = await self._ask("read", path=_bytes(path))
        return data

    async def collect(self, directory: str, *, limit: int = 10_000) -> list[tuple[str, bytes]]:
        found = await self._ask("collect", path=_bytes(directory), limit=limit)
        return [(_text(name), data) for name, data in found]

    async def remove(self, paths: Sequence[str]) -> None:
        await self._ask("remove", paths=[_bytes(path) for path in paths])

    async def watch(self, directory: str, changed: Callable[[], None]) -> Callable[[], None] | None:
        watched: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._watch(directory, changed, watched))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        done, _ = await asyncio.wait({watched}, timeout=_PATIENCE)
        if not done or not watched.result():
            task.cancel()
            return None

        def stop() -> None:
            task.cancel()

        return stop

    async def _watch(self, directory: str, changed: Callable[[], None], watched: asyncio.Future[bool]) -> None:
        def told(_: object) -> None:
            # The first time it says that it watches; whoever waits for that looks for itself afterwards.
            if watched.done():
                changed()
            else:
                watched.set_result(True)

        try:
            while True:
                try:
                    await self._agent.ask("watch", told=told, path=_bytes(directory))
                except ArgosyError:
                    if watched.done():
                        await asyncio.sleep(_AGAIN)
                        changed()
                        continue
                return  # there it cannot be told; the caller looks from time to time in any case
        finally:
            if not watched.done():
                watched.set_result(False)

    async def close(self) -> None:
        self._closed = True
        for task in list(self._asked):
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)


def command_handlers() -> tuple[dict[str, Handler], Callable[[], Awaitable[None]]]:
    """The other side, in the agent."""
    transport = LocalTransport()

    async def run(request: Request) -> list[object]:
        args = request.args
        environment = {name: None if value is None else _text(value) for name, value in args["environment"].items()}
        command = Command(tuple(map(_text, args["argv"])), _text(args["stdin"]), environment)
        done = await transport.run(command, timeout=args["timeout"])
        return [done.returncode, done.stdout.encode(), done.stderr.encode()]

    async def home(request: Request) -> bytes:
        del request
        return _bytes(await transport.home())

    async def make_directories(request: Request) -> None:
        await transport.make_directories([_text(path) for path in request.args["paths"]])

    async def write(request: Request) -> None:
        await transport.write(_text(request.args["path"]), request.args["data"], mode=request.args["mode"])

    async def read(request: Request) -> bytes | None:
        return await transport.read(_text(request.args["path"]))

    async def collect(request: Request) -> list[tuple[bytes, bytes]]:
        found = await transport.collect(_text(request.args["path"]), limit=request.args["limit"])
        return [(_bytes(name), data) for name, data in found]

    async def remove(request: Request) -> None:
        await transport.remove([_text(path) for path in request.args["paths"]])

    async def watch(request: Request) -> None:
        seen = asyncio.Event()
        stop = await transport.watch(_text(request.args["path"]), seen.set)
        if stop is None:
            return
        await request.tell(None)
        try:
            while True:
                await seen.wait()
                seen.clear()
                await request.tell(None)
        finally:
            with contextlib.suppress(OSError):
                stop()

    handlers: dict[str, Handler] = {
        "run": run,
        "home": home,
        "make-directories": make_directories,
        "write": write,
        "read": read,
        "collect": collect,
        "remove": remove,
        "watch": watch,
    }
    return handlers, transport.close
