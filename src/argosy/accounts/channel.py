"""The service's side: an agent as a child process that runs as another account, asked for many things at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from argosy.model import ArgosyError, Unavailable

from . import wire
from .wire import Ask, Cancel, Done, More, Tell

log = logging.getLogger(__name__)

#: Until an agent answers for the first time, in seconds: sudo may ask a directory service.
_START = 30.0
#: What an agent says for people is kept to so many bytes.
_WORDS = 4000
_GRACE = 5.0
#: For an agent to take what it is sent, in seconds. Its user can stop it at any time.
_TAKES = 30.0
#: How many pieces of an answer wait to be read; the others wait in the pipe.
_AHEAD = 16


@dataclass(slots=True)
class _Open:
    """What was asked for and has not been answered."""

    answer: asyncio.Future[Any]
    told: Callable[[Any], None] | None = None
    pieces: asyncio.Queue[bytes] | None = None


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    open: dict[int, _Open] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    words: bytearray = field(default_factory=bytearray)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Agent:
    """One account's agent. It is started when something is asked for, and again when it has ended.

    `command` starts it: sudo or ssh, and the agent's program. `greeting` is told to each one that is started. Belongs
    to one event loop.
    """

    def __init__(self, account: str, command: Sequence[str], greeting: Mapping[str, Any] | None = None) -> None:
        self.account = account
        self._greeting = dict(greeting or {})
        self._command = tuple(command)
        self._child: _Child | None = None
        self._starting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._child is not None and bool(self._child.open)

    async def ask(
        self,
        what: str,
        *,
        content: AsyncIterator[bytes] | None = None,
        told: Callable[[Any], None] | None = None,
        **args: object,
    ) -> Any:
        """Have something done, and wait for its answer.

        `content` goes with the request; `told` is called with what is told on the way. Raises the error that the agent
        met, Unavailable where there is no agent. When this is cancelled, the agent stops doing it.
        """
        child, id, opened = await self._begin(what, args, told=told)
        try:
            if content is not None:
                await self._upload(child, id, opened, content)
            return await opened.answer
        except asyncio.CancelledError:
            await self._cancel(child, id)
            raise
        finally:
            child.open.pop(id, None)

    async def stream(self, what: str, **args: object) -> AsyncIterator[bytes]:
        """Have something done whose answer is content: its pieces as they come."""
        pieces: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)
        child, id, opened = await self._begin(what, args, pieces=pieces)
        try:
            while True:
                getting = asyncio.ensure_future(pieces.get())
                await asyncio.wait({getting, opened.answer}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    opened.answer.result()
                    return
                yield getting.result()
        finally:
            if not opened.answer.done():
                await self._cancel(child, id)
            child.open.pop(id, None)

    async def rest(self) -> None:
        """End the process where nothing is under way; it is started again for what is asked next."""
        async with self._starting:
            if self._child is not None and not self._child.open:
                child, self._child = self._child, None
                await self._end(child, "it has nothing to do")

    async def close(self) -> None:
        """End the agent: it ends with its input."""
        self._closed = True
        async with self._starting:
            if self._child is not None:
                await self._end(self._child, "the service stops")

    # -- the process ------------------------------------------------------------------------------

    async def _begin(
        self,
        what: str,
        args: dict[str, Any],
        *,
        told: Callable[[Any], None] | None = None,
        pieces: asyncio.Queue[bytes] | None = None,
    ) -> tuple[_Child, int, _Open]:
        child = await self._ready()
        id = next(self._ids)
        opened = _Open(asyncio.get_running_loop().create_future(), told, pieces)
        child.open[id] = opened
        try:
            await self._send(child, Ask(id, what, args))
        except BaseException:
            child.open.pop(id, None)
            raise
        return child, id, opened

    async def _ready(self) -> _Child:
        async with self._starting:
            if self._closed:
                raise Unavailable(f"the agent of {self.account} is closed")
            if self._child is not None and not self._child.tasks[1].done():
                return self._child
            self._child = await self._start()
            return self._child

    async def _start(self) -> _Child:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=wire.MOST, start_new_session=True
            )
        except OSError as error:
            raise Unavailable(f"{self._command[0]} cannot be run: {error.strerror or error}") from error
        child = _Child(process)
        child.tasks = [asyncio.create_task(self._hear(child)), asyncio.create_task(self._listen(child))]
        hello = _Open(asyncio.get_running_loop().create_future())
        child.open[0] = hello
        try:
            async with asyncio.timeout(_START):
                await self._send(child, Ask(0, "hello", self._greeting))
                is_, uid = msgspec.convert(await hello.answer, tuple[str, int])
        except (TimeoutError, ArgosyError, msgspec.ValidationError) as error:
            await self._end(child, "it does not answer")
            why = "does not answer" if isinstance(error, TimeoutError) else str(error)
            raise Unavailable(f"the agent of {self.account} cannot be used: {why}") from None
        except BaseException:
            self._abandon(child, "it was not waited for")
            raise
        finally:
            child.open.pop(0, None)
        if is_ != self.account:
            await self._end(child, "it is somebody else's")
            raise Unavailable(f"the agent of {self.account} runs as {is_} ({uid}); `reach` leads elsewhere")
        return child

    async def _send(self, child: _Child, message: wire.Message) -> None:
        data = wire.encode(message)
        assert child.process.stdin is not None
        try:
            async with asyncio.timeout(_TAKES), child.writing:
                child.process.stdin.write(data)
                await child.process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise Unavailable(self._gone(child)) from None
        except TimeoutError:
            words = f"the agent of {self.account} takes nothing any more"
            self._abandon(child, words)
            raise Unavailable(words) from None

    async def _upload(self, child: _Child, id: int, opened: _Open, content: AsyncIterator[bytes]) -> None:
        async for piece in content:
            for begin in range(0, len(piece), wire.CHUNK):
                if opened.answer.done():  # it has failed already
                    return
                await self._send(child, More(id, piece[begin : begin + wire.CHUNK]))
        await self._send(child, More(id))

    async def _cancel(self, child: _Child, id: int) -> None:
        with contextlib.suppress(Unavailable):
            await asyncio.shield(self._send(child, Cancel(id)))

    async def _hear(self, child: _Child) -> None:
        """Read what the agent says for people."""
        assert child.process.stderr is not None
        while data := await child.process.stderr.read(4096):
            child.words += data
            del child.words[:-_WORDS]

    async def _listen(self, child: _Child) -> None:
        assert child.process.stdout is not None
        try:
            while (message := await wire.read(child.process.stdout)) is not None:
                opened = child.open.get(message.id)
                if opened is None or opened.answer.done():
                    continue
                if isinstance(message, Done):
                    if message.problem is not None:
                        opened.answer.set_exception(wire.error_of(message.problem))
                    else:
                        opened.answer.set_result(message.value)
                elif isinstance(message, Tell) and opened.told is not None:
                    opened.told(message.value)
                elif isinstance(message, More) and opened.pieces is not None:
                    # Who reads slowly slows this account's other transfers, and nobody else's.
                    putting = asyncio.ensure_future(opened.pieces.put(message.data))
                    await asyncio.wait({putting, opened.answer}, return_when=asyncio.FIRST_COMPLETED)
                    putting.cancel()
        except wire.Broken as error:
            log.error("the agent of %s is ended: %s", self.account, error)  # noqa: TRY400
        _kill(child)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await child.process.wait()
                await asyncio.shield(child.tasks[0])
        for opened in child.open.values():
            if not opened.answer.done():
                opened.answer.set_exception(Unavailable(self._gone(child)))
                opened.answer.exception()  # whoever waits gets it; nobody need

    def _abandon(self, child: _Child, words: str) -> None:
        """Have nothing more to do with a process that does not end by itself; the next one takes its place."""
        log.warning("the agent of %s is given up: %s", self.account, words)
        _kill(child)
        for task in child.tasks:
            task.cancel()
        for opened in child.open.values():
            if not opened.answer.done():
                opened.answer.set_exception(Unavailable(words))
                opened.answer.exception()

    def _gone(self, child: _Child) -> str:
        said = child.words.decode(errors="replace").strip()
        return f"the agent of {self.account} has ended" + (f": {said}" if said else "")

    async def _end(self, child: _Child, why: str) -> None:
        log.debug("the agent of %s is ended: %s", self.account, why)
        assert child.process.stdin is not None
        child.process.stdin.close()
        done, _ = await asyncio.wait({child.tasks[1]}, timeout=_GRACE)
        if not done:
            _kill(child)
            for task in child.tasks:
                task.cancel()
        await asyncio.gather(*child.tasks, return_exceptions=True)


def _kill(child: _Child) -> None:
    """End it with all that it started. What sudo has made somebody else's ends with its input instead."""
    if child.process.stdin is not None:
        child.process.stdin.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)
