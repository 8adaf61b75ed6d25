"""The proxies that came with requests: kept sealed while a job or a command needs them, one for each set of attributes.

What nothing needs any more is removed when the keeper looks at it next, so that there is time to clear up on the host.
Whoever sends a newer proxy with any later request has it put in the place of the one that is kept.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from argosy.delegation import Keeper
from argosy.delegation.keeper import MOST
from argosy.executors.tasks import Turns
from argosy.identity import Caller
from argosy.model import ArgosyError
from argosy.store import StoredCredential

log = logging.getLogger(__name__)

#: One that lasts so much longer takes the place of the one before it, in seconds.
_LONGER = 60.0
#: The owners whose proxies are remembered; of another one they are looked up in the store.
_REMEMBERED = 1000
_Groups = tuple[str, ...]


class Kept:
    """Those of one service. `used` tells whether an activity that has not ended names a credential."""

    def __init__(self, keeper: Keeper, used: Callable[[str], bool], *, wanted: bool) -> None:
        """`wanted`: there are hosts that take them. Otherwise nothing is kept."""
        self._keeper = keeper
        self._used = used
        self._wanted = wanted
        self._known: dict[str, dict[_Groups, StoredCredential]] = {}
        self._requests: dict[str, int] = {}
        self._turns = Turns()
        keeper.needed = self._needed

    @contextlib.asynccontextmanager
    async def _needed(self, kept: StoredCredential) -> AsyncIterator[bool]:
        """Whether one is needed; no request is given it while this lasts."""
        async with self._turns.of(kept.owner):
            needed = kept.id in self._requests or self._used(kept.id)
            if not needed:
                # It is removed now. What else there is of this owner's is looked up when it is asked for.
                self._known.pop(kept.owner, None)
            yield needed

    @contextlib.asynccontextmanager
    async def during(self, caller: Caller) -> AsyncIterator[str | None]:
        """The id of the caller's proxy, kept until this ends and as long as an activity needs it; None where none came.

        Raises InvalidInput, LimitExceeded.
        """
        if not self._wanted or caller.credential is None:
            yield None
            return
        async with self._turns.of(caller.name):
            kept = await self._keep(caller)
            self._requests[kept.id] = self._requests.get(kept.id, 0) + 1
        try:
            yield kept.id
        finally:
            self._requests[kept.id] -= 1
            if not self._requests[kept.id]:
                del self._requests[kept.id]

    async def seen(self, caller: Caller) -> None:
        """The caller has sent a request: where its proxy is newer than the one that is kept, it takes its place."""
        came = caller.credential
        if not self._wanted or came is None:
            return
        kept = (await self._of(caller.name)).get(_groups(caller))
        if kept is None or came.expires <= (kept.expires or 0.0) + _LONGER:
            return
        async with self._turns.of(caller.name):
            try:
                if await self._keeper.kept(caller.name, kept.id) is None:
                    self._known.pop(caller.name, None)
                else:
                    await self._keep(caller)
            except ArgosyError as error:
                # The request itself is about something else.
                log.warning("the newer proxy of %s is not kept: %s", caller.name, error)

    async def _keep(self, caller: Caller) -> StoredCredential:
        assert caller.credential is not None
        groups = _groups(caller)
        old = (await self._of(caller.name)).get(groups)
        # It may have been removed, or replaced by its owner.
        now = None if old is None else await self._keeper.kept(caller.name, old.id)
        if now is None or caller.credential.expires > (now.expires or 0.0) + _LONGER:
            now = await self._keeper.keep(caller, now)
        known = await self._of(caller.name)
        known[groups] = now
        if len(known) > MOST:  # more than there can be: some have been removed
            self._known.pop(caller.name, None)
        return now

    async def _of(self, owner: str) -> dict[_Groups, StoredCredential]:
        """What an owner has, also what was kept before this service began."""
        known = self._known.get(owner)
        if known is None:
            found = {tuple(one.rest["kept"]): one for one in await self._keeper.proxies(owner) if "kept" in one.rest}
            known = self._known.setdefault(owner, found)  # another request may have looked meanwhile
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return known


def _groups(caller: Caller) -> _Groups:
    return tuple(sorted(caller.groups))
