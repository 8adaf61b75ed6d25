"""How fast a transfer goes: whether it still does, and that it is no faster than it may."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType

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


class _Held:
    """A transfer that is watched."""

    __slots__ = ("_asked", "_pace", "_task", "last", "meter", "since", "slow", "span_moved", "span_since", "what")

    def __init__(self, pace: Pace, meter: Meter, what: object) -> None:
        self._pace = pace
        self.meter = meter
        self.what = what
        self.slow: str | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._asked = task, task.cancelling()
        self.last = self.span_moved = self.meter.moved
        self.since = self.span_since = time.monotonic()
        self._pace.watched[self] = None
        self._pace.look_later()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._pace.watched[self]
        if self.slow is None:
            return
        # As asyncio.timeout does, which costs more than all of the rest for a small file.
        others = self._task.uncancel() > self._asked
        if isinstance(error, TimeoutError | ArgosyError) or (isinstance(error, asyncio.CancelledError) and not others):
            raise TransferFailed(self.slow, Fault.TRANSIENT) from error

    def end(self, words: str) -> None:
        """It is too slow."""
        if self.slow is None:
            self.slow = words
            self._task.cancel()


class Pace:
    """Ends a transfer that stands still for `idle` seconds, or moves less than `minimum` bytes a second over `span`.

    One timer looks at all of them: small files are many, and most are over before it has anything to say of them.
    """

    def __init__(self, idle: float, minimum: float, span: float) -> None:
        self._idle = idle
        self._minimum = minimum
        self._span = span
        self._tick = min(idle / 4, span / 4, 5.0)
        self._timer: asyncio.TimerHandle | None = None
        self.watched: dict[_Held, None] = {}

    def hold(self, meter: Meter, what: object) -> contextlib.AbstractAsyncContextManager[None]:
        """Watch the meter: once it goes too slowly, what is within is cancelled and TransferFailed raised."""
        return _Held(self, meter, what)

    def look_later(self) -> None:
        """Have a timer, as long as there is something to be watched."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        for one in self.watched:
            moved = one.meter.moved
            if moved != one.last:
                one.last, one.since = moved, now
            elif now - one.since >= self._idle + self._tick:
                # By then a scheme has said better what it waits for.
                one.end(f"{one.what}: nothing came or went for {self._idle:g} s")
            if now - one.span_since >= self._span:
                speed = (moved - one.span_moved) / (now - one.span_since)
                if speed < self._minimum:
                    one.end(f"{one.what}: {speed:.0f} bytes a second is less than the {self._minimum:.0f} it must have")
                one.span_moved, one.span_since = moved, now
        if self.watched:
            self.look_later()


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


class _Turn:
    """One's turn with a host."""

    __slots__ = ("_gate", "_host", "_hosts")

    def __init__(self, hosts: Hosts, host: str | None) -> None:
        self._hosts = hosts
        self._host = host
        self._gate: asyncio.Semaphore | None = None

    async def __aenter__(self) -> None:
        if self._host is not None:
            self._gate = self._hosts.gate(self._host)
            try:
                # First the host's gate: who waits for a busy host holds nobody else up.
                await self._gate.acquire()
            except BaseException:
                self._hosts.leave(self._host)
                raise
        try:
            await self._hosts.all.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._hosts.all.release()
        self._leave()

    def _leave(self) -> None:
        if self._gate is not None and self._host is not None:
            self._gate.release()
            self._hosts.leave(self._host)


class Hosts:
    """How many transfers go at once: in all, and with each host."""

    def __init__(self, most: int, most_per_host: int) -> None:
        self.all = asyncio.Semaphore(most)
        self._per_host = most_per_host
        self._hosts: dict[str, tuple[asyncio.Semaphore, list[int]]] = {}

    def one(self, host: str | None) -> contextlib.AbstractAsyncContextManager[None]:
        """A turn with this host; None is this machine."""
        return _Turn(self, host)

    def gate(self, host: str) -> asyncio.Semaphore:
        """What those who want something of a host go through, until they `leave`."""
        found = self._hosts.get(host)
        if found is None:
            found = self._hosts[host] = (asyncio.Semaphore(self._per_host), [0])
        found[1][0] += 1
        return found[0]

    def leave(self, host: str) -> None:
        """One less wants something of a host."""
        users = self._hosts[host][1]
        users[0] -= 1
        if not users[0]:
            del self._hosts[host]
