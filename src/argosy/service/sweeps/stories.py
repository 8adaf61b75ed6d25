"""What happens to sweeps themselves, told to those who follow them, in the order in which it was recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from argosy.store import Store, SweepEvent

#: How much is read at a time; and how long before one looks in any case, in seconds: another worker may have the sweep.
_PAGE = 1000
_LOOK = 10.0


class Stories:
    """The followers of all sweeps, in one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._stopped = False

    def told(self, id: str) -> None:
        """Something was recorded of a sweep."""
        for news in self._followers.get(id, ()):
            news.set()

    def stop(self) -> None:
        """End all streams."""
        self._stopped = True
        for id in self._followers:
            self.told(id)

    async def follow(self, id: str, after: int) -> AsyncIterator[Sequence[SweepEvent]]:
        """Its events after `after`, until it is final or gone and all of them were given."""
        news = asyncio.Event()
        self._followers.setdefault(id, set()).add(news)
        try:
            while not self._stopped:
                news.clear()
                # The record first: what it has become is among the events that are read after it.
                record = await self._store.sweep(id)
                events = await self._store.sweep_events(id, after=after, limit=_PAGE)
                if events:
                    after = events[-1].seq
                    yield events
                elif record is None or record.state.final:
                    return
                else:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK):
                            await news.wait()
        finally:
            self._followers[id].discard(news)
            if not self._followers[id]:
                del self._followers[id]
