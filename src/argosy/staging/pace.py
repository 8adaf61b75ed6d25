"""How fast a transfer goes: whether it still does, and that it is no faster than it may."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

from argosy.model import ArgosyError

from .errors import Fault, TransferFailed


class Meter:
    """Counts the bytes that a transfer has moved, from any thread; `lost` are those that have to be moved again."""

    __slots__ = ("lost", "moved", "total")

    def __init__(self, total: int | None = None) -> None:
        self.moved = 0
        self.lost = 0
        self.total = total

    @property
    def done(self) -> int:
        """How many bytes are where they belong."""
        return self.moved - self.lost


class Pace:
    """Ends a transfer that stands still for `idle` seconds, or moves less than `minimum` bytes a second over `span`."""

    def __init__(self, idle: float, minimum: float, span: float) -> None:
        self._idle = idle
        self._minimum = minimum
        self._span = span

    @contextlib.asynccontextmanager
    async def hold(self, meter: Meter, what: str) -> AsyncIterator[None]:
        """Watch the meter: once it goes too slowly, what is within is cancelled and TransferFailed raised.

        A timer and no task: small files are many, and each task is a turn of the event loop more.
        """
        loop = asyncio.get_running_loop()
        tick = min(self._idle / 4, self._span / 4, 5.0)
        last, since = meter.moved, time.monotonic()
        span_moved, span_since = meter.moved, since
        slow: list[str] = []

        def look() -> None:
            nonlocal last, since, span_moved, span_since
            now = time.monotonic()
            if meter.moved != last:
                last, since = meter.moved, now
            elif now - since >= self._idle:
                slow.append(f"{what}: nothing came or went for {self._idle:g} s")
            if now - span_since >= self._span:
                speed = (meter.moved - span_moved) / (now - span_since)
                if speed < self._minimum:
                    slow.append(f"{what}: {speed:.0f} bytes a second is less than the {self._minimum:.0f} it must have")
                span_moved, span_since = meter.moved, now
            if slow:
                end.reschedule(loop.time())
            else:
                timers[:] = [loop.call_later(tick, look)]

        timers = [loop.call_later(tick, look)]
        try:
            async with asyncio.timeout(None) as end:
                yield
        except (TimeoutError, ArgosyError) as error:
            if slow:
                raise TransferFailed(slow[0], Fault.TRANSIENT) from error
            raise
        finally:
            timers[0].cancel()


class Throttle:
    """The most bytes a second of all transfers together; None is without bound. A token bucket of one second."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = 0.0

    def due(self, size: int) -> float:
        """Take so many bytes, and say for how many seconds to wait now."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 1.0) + size / self._rate
        return max(self._free_at - now, 0.0)


class Hosts:
    """How many transfers go at once: in all, and with each host."""

    def __init__(self, most: int, most_per_host: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._per_host = most_per_host
        self._hosts: dict[str, tuple[asyncio.Semaphore, list[int]]] = {}

    @contextlib.asynccontextmanager
    async def one(self, host: str | None) -> AsyncIterator[None]:
        """A turn with this host; None is this machine."""
        with self._user_of(host) as gate:
            # First the host's gate: who waits for a busy host holds nobody else up.
            async with gate or contextlib.nullcontext(), self._all:
                yield

    @contextlib.contextmanager
    def _user_of(self, host: str | None) -> Iterator[asyncio.Semaphore | None]:
        if host is None:
            yield None
            return
        gate, users = self._hosts.setdefault(host, (asyncio.Semaphore(self._per_host), [0]))
        users[0] += 1
        try:
            yield gate
        finally:
            users[0] -= 1
            if not users[0]:
                del self._hosts[host]
