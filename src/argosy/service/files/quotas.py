"""How much lies in session directories, where the administrator has set quotas. Without quotas nothing is measured.

What clients and staging bring is counted as it comes; what jobs write is found by a look at intervals. A quota keeps
files from coming in; it ends no job, whose owner is warned instead.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

from argosy.model import ActivityState
from argosy.service.policy import ServicePolicy
from argosy.store import Activity, Store

from .sessions import Sessions

#: Warned from this part of a quota on.
_NEARLY = 0.9
_AT_ONCE = 500

#: Told of an activity that comes near its quota, in words.
Warn = Callable[[str, str], None]


class Quotas:
    """Sizes of session directories by activity and owner, in bytes."""

    def __init__(self, store: Store, sessions: Sessions, policy: ServicePolicy, warn: Warn) -> None:
        self._store = store
        self._sessions = sessions
        self._each = policy.session_quota
        self._all = policy.sessions_quota
        self._warn = warn
        self._sizes: dict[str, tuple[str, int]] = {}
        self._totals: dict[str, int] = {}
        self._warned: set[str] = set()
        #: Bytes that are kept free for what is coming, and how many of unknown size are coming for an owner.
        self._kept_in: Counter[str] = Counter()
        self._kept_for: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        #: Set when something has come, and another one from then on.
        self._news = asyncio.Event()

    @property
    def set(self) -> bool:
        """Whether there are any."""
        return bool(self._each or self._all)

    @asynccontextmanager
    async def room(self, activity: Activity, size: int | None = None) -> AsyncIterator[int | None]:
        """How many bytes may still come into its session directory, kept free for as long as this lasts; None: as many
        as the disk takes. `size` is what will come, where that is known.

        Whatever comes at the same time must fit too: what is of unknown size gets all that is left, and others of the
        same owner wait until it is known.
        """
        if not self.set:
            yield None
            return
        if activity.id not in self._sizes:
            self._put(activity.id, activity.owner, await asyncio.to_thread(self._sessions.weigh, activity.session))
        owner = activity.owner
        while self._unknown[owner] and (size is None or size > self._left(activity)):
            await self._news.wait()
        left = self._left(activity)
        kept = left if size is None else min(size, left)
        self._unknown[owner] += size is None
        self._kept_for[owner] += kept
        self._kept_in[activity.id] += kept
        try:
            yield kept
        finally:
            for counts, name, count in (
                (self._unknown, owner, int(size is None)),
                (self._kept_for, owner, kept),
                (self._kept_in, activity.id, kept),
            ):
                counts[name] -= count
                if not counts[name]:
                    del counts[name]
            self._news.set()
            self._news = asyncio.Event()

    def _left(self, activity: Activity) -> int:
        left = []
        if self._each:
            # It may have been forgotten while this one waited: then it is measured by the next look.
            left.append(self._each - self._sizes.get(activity.id, ("", 0))[1] - self._kept_in[activity.id])
        if self._all:
            left.append(self._all - self._totals.get(activity.owner, 0) - self._kept_for[activity.owner])
        return max(0, min(left))

    def came(self, activity: Activity, size: int) -> None:
        """So many bytes have come into it."""
        if activity.id in self._sizes:
            self._put(activity.id, activity.owner, self._sizes[activity.id][1] + size)

    def changed(self, activity: Activity) -> None:
        """What was measured is not so any more: something was removed."""
        self._forget(activity.id)

    async def look(self) -> None:
        """Measure all session directories, and warn those that come near their quota."""
        if not self.set:
            return
        found = self._sessions.weights()
        seen: set[str] = set()
        while batch := await asyncio.to_thread(lambda: list(islice(found, _AT_ONCE))):
            records = await self._store.get([id for id, _, _ in batch])
            for id, size, account in batch:
                activity = records.get(id)
                # What an account's own process says is of that account's activities alone.
                if activity is not None and activity.local_account == account:
                    seen.add(id)
                    self._put(id, activity.owner, size)
                    self._look_at(activity, size)
        for id in set(self._sizes) - seen:
            self._forget(id)

    def _look_at(self, activity: Activity, size: int) -> None:
        near = bool(self._each) and size >= _NEARLY * self._each
        if not near:
            self._warned.discard(activity.id)
        elif activity.id not in self._warned and activity.state not in (ActivityState.HELD, ActivityState.PENDING):
            self._warned.add(activity.id)
            self._warn(activity.id, f"its session directory has {size} bytes; the quota is {self._each}")

    def _put(self, id: str, owner: str, size: int) -> None:
        self._forget(id)
        self._sizes[id] = owner, size
        self._totals[owner] = self._totals.get(owner, 0) + size

    def _forget(self, id: str) -> None:
        owner, size = self._sizes.pop(id, ("", 0))
        if owner in self._totals:
            self._totals[owner] -= size
            if not self._totals[owner]:
                del self._totals[owner]
