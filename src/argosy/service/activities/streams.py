"""Events as they happen, for those who follow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from argosy.store import Activity, Event, Store

_PAGE = 1000


class _Follower:
    """One who follows: whose events, of which activities, and whether there are new ones."""

    __slots__ = ("ids", "news", "owner")

    def __init__(self, owner: str, ids: frozenset[str]) -> None:
        self.owner = owner
        self.ids = ids
        self.news = asyncio.Event()


class Streams:
    """Wakes followers when something is recorded that concerns them; what it was they read from the store.

    They are given nothing that the store has not told of yet: who reads an event and asks for the activity's status is
    to be answered with no older one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: set[_Follower] = set()
        self._stopped = False
        self._unsubscribe: Callable[[], None] | None = None
        self._told = 0

    async def start(self) -> None:
        """Begin to listen to the store."""
        self._unsubscribe = self._store.subscribe(self._committed)
        self._told = max(await self._store.last_seq(), self._told)

    def stop(self) -> None:
        """End all streams."""
        self._stopped = True
        if self._unsubscribe is not None:
            self._unsubscribe()
        for follower in self._followers:
            follower.news.set()

    @property
    def newest(self) -> int:
        """The sequence number of the newest event that has been told."""
        return self._told

    def _committed(self, events: Sequence[Event], activities: dict[str, Activity]) -> None:
        self._told = max(self._told, events[-1].seq)
        if not self._followers:
            return
        owners = {activity.owner for activity in activities.values()}
        for follower in self._followers:
            if follower.owner in owners and (not follower.ids or not follower.ids.isdisjoint(activities)):
                follower.news.set()

    async def follow(self, owner: str, ids: Sequence[str], after: int | None) -> AsyncIterator[Sequence[Event]]:
        """The owner's events after `after` (None: from now on), those of `ids` only where some are named."""
        follower = _Follower(owner, frozenset(ids))
        self._followers.add(follower)
        try:
            last = self._told if after is None else after
            open_ids = await self._unfinished(ids)
            while not self._stopped:
                follower.news.clear()
                events, more = await self._read(follower, last)
                if events:
                    last = events[-1].seq
                    if ids:
                        _close(open_ids, events)
                    yield events
                    continue
                if ids and not open_ids and not more:
                    return
                if open_ids and not more:
                    # One that ended and was purged before its last events could be read has none to show. What
                    # ended between the reading and this question has: they are read before the stream ends.
                    open_ids = await self._unfinished(list(open_ids))
                    if not open_ids:
                        continue
                await follower.news.wait()
        finally:
            self._followers.discard(follower)

    async def _read(self, follower: _Follower, last: int) -> tuple[list[Event], bool]:
        """The next ones, and whether there are more that are recorded and about to be told."""
        if len(follower.ids) == 1:
            (id,) = follower.ids
            return self._of_the_told(await self._store.events(id, after=last, limit=_PAGE))
        while True:
            events = await self._store.feed(follower.owner, after=last, limit=_PAGE)
            chosen, more = self._of_the_told(
                [event for event in events if not follower.ids or event.activity in follower.ids]
            )
            if chosen or more or len(events) < _PAGE:
                return chosen, more
            last = events[-1].seq

    def _of_the_told(self, events: list[Event]) -> tuple[list[Event], bool]:
        if events and events[-1].seq > self._told:
            return [event for event in events if event.seq <= self._told], True
        return events, False

    async def _unfinished(self, ids: Sequence[str]) -> set[str]:
        known = await self._store.get(ids) if ids else {}
        return {id for id, activity in known.items() if not activity.state.final}

    async def until_final(self, owner: str, ids: Sequence[str]) -> None:
        """Wait until all of these have reached a final state, or the service stops."""
        async for _ in self.follow(owner, list(ids), None):
            pass


def _close(open_ids: set[str], events: Sequence[Event]) -> None:
    """Which are unfinished after these events: what has ended may have been restarted since."""
    for event in events:
        if event.state.final:
            open_ids.discard(event.activity)
        else:
            open_ids.add(event.activity)
