"""How many channels a connection has open at once: a number that is learned where the host allows fewer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator

from argosy.model import Unavailable

log = logging.getLogger(__name__)


class NoSlot(Unavailable):
    """The channels that this host allows are needed for commands."""


class Slots:
    """At most `most` channels, or as many as the host allows; at most half of them for what lasts."""

    def __init__(self, most: int) -> None:
        self.why = ""
        self._most = most
        self._limit = most
        self._used = 0
        self._opened = 0
        self._lasting: list[Callable[[], None]] = []
        self._freed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def one(self, *, lasting: bool = False) -> AsyncIterator[None]:
        """Wait for the right to use a channel. For something that lasts it is had at once, or NoSlot is raised."""
        if lasting:
            if len(self._lasting) >= self._limit // 2 or self._used >= self._limit:
                raise NoSlot("no channel is left for watching")
        else:
            async with self._freed:
                await self._freed.wait_for(lambda: self._used < self._limit)
        self._used += 1
        try:
            yield
        finally:
            self._used -= 1
            async with self._freed:
                self._freed.notify_all()

    @contextlib.contextmanager
    def lasting(self, end: Callable[[], None]) -> Iterator[None]:
        """A channel is in use for something that lasts; `end` ends it, should the channel be needed."""
        self._lasting.append(end)
        try:
            yield
        finally:
            if end in self._lasting:
                self._lasting.remove(end)

    @property
    def full(self) -> bool:
        """Whether as many channels are open as the host allows, in use or not."""
        return self._opened >= self._limit

    @property
    def others(self) -> bool:
        """Whether channels are open, one of which may be waited for."""
        return self._opened > 0

    def anew(self) -> None:
        """There is a new connection: what the one before it allowed need not hold for it."""
        self._limit = self._most

    def opened(self) -> None:
        """The host has given a channel."""
        self._opened += 1

    def gone(self) -> None:
        """A channel has closed."""
        self._opened -= 1

    def refused(self, words: str, where: str) -> None:
        """The host gave no channel: take it that those which are open are as many as it allows."""
        self.why = words
        if 0 < self._opened < self._limit:
            log.info("%s allows %d channels at once: %s", where, self._opened, words)
            self._limit = self._opened
        while len(self._lasting) > self._limit // 2:
            self._lasting.pop()()

    def end_lasting(self) -> None:
        """End what lasts."""
        while self._lasting:
            self._lasting.pop()()
