"""The proxies that came with requests: kept sealed while a job or a command needs them, one for each set of attributes.

What nothing needs any more is removed when the keeper looks at it next, so that there is time to clear up on the host.
Whoever sends a newer proxy with any later request has it put in the place of the one that is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable

from argosy.delegation import Keeper
from argosy.identity import Caller
from argosy.model import ArgosyError
from argosy.store import StoredCredential

log = logging.getLogger(__name__)

#: One that lasts so much longer takes the place of the one before it, in seconds.
_LONGER = 60.0
_Key = tuple[str, tuple[str, ...]]


class Kept:
    """Those of one service. `used` tells whether an activity that has not ended names a credential."""

    def __init__(self, keeper: Keeper, used: Callable[[str], bool], *, wanted: bool) -> None:
        """`wanted`: there are hosts that take them. Otherwise nothing is kept."""
        self._keeper = keeper
        self._used = used
        self._wanted = wanted
        self._known: dict[_Key, StoredCredential] = {}
        self._looked: set[str] = set()
        self._requests: Counter[str] = Counter()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        keeper.needed = self._is_needed

    def _is_needed(self, kept: StoredCredential) -> bool:
        return self._requests[kept.id] > 0 or self._used(kept.id)

    @contextlib.asynccontextmanager
    async def during(self, caller: Caller) -> AsyncIterator[str | None]:
        """The id of the caller's proxy, kept until this ends and as long as an activity needs it; None where none came.

        Raises InvalidInput, LimitExceeded.
        """
        if not self._wanted or caller.credential is None:
            yield None
            return
        async with self._turns[caller.name]:
            kept = await self._keep(caller)
            self._requests[kept.id] += 1
        try:
            yield kept.id
        finally:
            self._requests[kept.id] -= 1

    async def seen(self, caller: Caller) -> None:
        """The caller has sent a request: where its proxy is newer than the one that is kept, it takes its place."""
        came = caller.credential
        if not self._wanted or came is None:
            return
        await self._look(caller.name)
        kept = self._known.get(_key(caller))
        if kept is None or came.expires <= (kept.expires or 0.0) + _LONGER:
            return
        async with self._turns[caller.name]:
            try:
                if await self._keeper.kept(caller.name, kept.id) is None:
                    self._known.pop(_key(caller), None)
                else:
                    await self._keep(caller)
            except ArgosyError as error:
                # The request itself is about something else.
                log.warning("the newer proxy of %s is not kept: %s", caller.name, error)

    async def _keep(self, caller: Caller) -> StoredCredential:
        assert caller.credential is not None
        await self._look(caller.name)
        key = _key(caller)
        old = self._known.get(key)
        # It may have been removed, or replaced by its owner.
        now = None if old is None else await self._keeper.kept(caller.name, old.id)
        if now is None or caller.credential.expires > (now.expires or 0.0) + _LONGER:
            now = await self._keeper.keep(caller, now)
        self._known[key] = now
        return now

    async def _look(self, owner: str) -> None:
        """What was kept before this service began."""
        if owner not in self._looked:
            for one in await self._keeper.proxies(owner):
                if "kept" in one.rest:
                    self._known.setdefault((owner, tuple(one.rest["kept"])), one)
            self._looked.add(owner)


def _key(caller: Caller) -> _Key:
    return caller.name, tuple(sorted(caller.groups))
