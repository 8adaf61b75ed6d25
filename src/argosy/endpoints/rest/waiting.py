"""Waiting for what happens to activities: for one change (long poll), or for all of them (server-sent events)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from argosy.model import ArgosyError
from argosy.service.caller import Caller
from argosy.service.contract import Activity, Event, Operations, SweepEvent

from .problems import problem
from .streaming import aclose
from .vectors import only

E = TypeVar("E", Event, SweepEvent)
T = TypeVar("T")

#: The longest that a long poll waits, in seconds.
MAX_WAIT = 60.0
#: How often a quiet stream shows that it is alive, in seconds.
HEARTBEAT = 15.0

_BEAT = b": \n\n"
_END = b"event: end\ndata: {}\n\n"


async def until(closing: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What some work gives; None where the endpoint closes before, and the work is ended."""
    working, closed = asyncio.create_task(work), asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({working, closed}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, closed):
            task.cancel()
        await asyncio.gather(working, closed, return_exceptions=True)


async def status(operations: Operations, caller: Caller, id: str) -> Activity:
    """One record. Raises NotFound."""
    return only(await operations.status(caller, [id]))


async def changed(
    operations: Operations, caller: Caller, id: str, *, version: int | None, wait: float, closing: asyncio.Event
) -> Activity:
    """The record, as soon as it is of another version than `version` (None: as soon as it is final), or after `wait`
    seconds."""

    def satisfied(record: Activity) -> bool:
        return record.state.final or (version is not None and record.version != version)

    record = await status(operations, caller, id)
    deadline = time.monotonic() + min(wait, MAX_WAIT)
    if satisfied(record) or wait <= 0:
        return record
    # From the beginning, so that nothing falls between the look above and the stream's first event.
    steps = _Steps(operations.stream(caller, [id], after=0), closing)
    try:
        while (left := deadline - time.monotonic()) > 0:
            step = await steps.next(left)
            if step or not steps.running:
                record = await status(operations, caller, id)
                if satisfied(record) or not steps.running:
                    return record
    finally:
        await steps.close()
    return await status(operations, caller, id)


async def frames(
    source: AsyncIterator[Sequence[E]],
    closing: asyncio.Event,
    heartbeat: float = HEARTBEAT,
    wanted: Callable[[E], bool] = lambda event: True,
    *,
    rendered: Callable[[E], Struct],
    after: int,
) -> AsyncIterator[bytes]:
    """Events after `after` as server-sent events. An ``end`` tells that there will be no more; without it the
    connection was cut. Where it begins is told first: a stream that is cut before its first event goes on from there.

    Of those that are not wanted only the newest one's id is told, from which a stream that is taken up goes on.
    """
    steps = _Steps(source, closing)
    try:
        yield b"id: %d\n\n" % after
        while True:
            events = await steps.next(heartbeat)
            if events:
                chosen = [event for event in events if wanted(event)]
                behind = b"" if chosen[-1:] == [events[-1]] else b"id: %d\n\n" % events[-1].seq
                yield b"".join(_frame(one, rendered) for one in chosen) + behind
            elif steps.running:
                yield _BEAT
            else:
                break
        if not closing.is_set():
            yield _END
    except ArgosyError as error:
        yield b"event: problem\ndata: " + msgspec.json.encode(problem(error)) + b"\n\n"
    finally:
        await steps.close()


def _frame(event: E, rendered: Callable[[E], Struct]) -> bytes:
    # JSON has no line breaks, and kinds are words of ours.
    data = msgspec.json.encode(rendered(event))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.kind.encode(), data)


class _Steps(Generic[E]):
    """An event stream taken step by step with a time limit, ended early when the endpoint closes."""

    def __init__(self, source: AsyncIterator[Sequence[E]], closing: asyncio.Event) -> None:
        self.running = True
        self._source: AsyncIterator[Sequence[E]] = source
        self._closed = asyncio.create_task(closing.wait())
        self._pending: asyncio.Task[Sequence[E] | None] | None = None

    async def next(self, timeout: float) -> Sequence[E]:
        """The next events; none where none came in time, or `running` is no longer true."""
        if self._pending is None:
            self._pending = asyncio.create_task(self._advance())
        await asyncio.wait({self._pending, self._closed}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._pending.done():
            events, self._pending = self._pending.result(), None
            if events is not None:
                return events
            self.running = False
        elif self._closed.done():
            self.running = False
        return ()

    async def _advance(self) -> Sequence[E] | None:
        return await anext(self._source, None)

    async def close(self) -> None:
        tasks = [self._closed] if self._pending is None else [self._closed, self._pending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await aclose(self._source)
