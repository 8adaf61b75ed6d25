"""Staging: files between session directories and the places that URLs name, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable

from argosy.model.description import CreationFlag
from argosy.outbound import OutboundPolicy, Url

from .cache import Cache
from .config import StagingConfig
from .contract import Capability, Direction, Fetch, Fetched, Progress, Push, Pushed
from .desk import Desk
from .fetching import Fetcher
from .pushing import Pusher, check_targets
from .registry import Schemes


class Staging:
    """One for a service. `directory` is a private directory of the service, for the cache and for what tools need.

    Belongs to the event loop in which it is first used; `close` ends it. Raises InvalidInput where the configuration is
    wrong. `fault` is told of ``fetch-arrived`` (a file is whole, and has no name yet) and ``push-arrived`` (a target
    has it, nothing of that is recorded yet).
    """

    def __init__(
        self,
        config: StagingConfig,
        policy: OutboundPolicy,
        directory: str,
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._schemes = Schemes(config, policy, directory)
        self._desk = Desk(config, self._schemes, fault)
        self._cache: Cache | None = None
        if config.cache_size > 0:
            self._cache = Cache(os.path.join(directory, "cache"), config.cache_size, config.cache_smallest)
            self._cache.tidy()
        self._fetcher = Fetcher(self._desk, self._cache)
        self._pusher = Pusher(self._desk)

    def check(
        self,
        url: str,
        direction: Direction,
        creation: CreationFlag = "overwrite",
        *,
        element: str | None = None,
    ) -> None:
        """Whether a URL can be fetched from or pushed to at all, without connecting anywhere.

        Raises InvalidInput (no URL, no such scheme here, the scheme cannot do that) or NotAllowed (the outbound policy,
        or what the administrator has not opened), both with `element`.
        """
        self._schemes.check(Url.parse(url, element), direction, creation, element)

    async def fetch(self, request: Fetch, progress: Progress | None = None) -> Fetched:
        """Bring a file or a directory into a session directory; see `Fetch`.

        Raises TransferFailed when none of the sources works after all attempts: nothing is there then but what was
        there before. InvalidInput where the request itself is wrong. Cancelled, it stops at once and leaves nothing.
        """
        return await self._fetcher.fetch(request, progress)

    async def push(self, request: Push, progress: Progress | None = None) -> list[Pushed]:
        """Send files to all targets; see `Push`. Answers for each target, in order; failures are told there.

        Raises InvalidInput where the request itself is wrong. Cancelled, it stops at once.
        """
        check_targets(request)
        return await self._pusher.push(request, progress)

    def capabilities(self) -> list[Capability]:
        """What can be done with which schemes on this service now."""
        return self._schemes.capabilities()

    @property
    def cache(self) -> Cache | None:
        """The kept inputs, for who looks after them."""
        return self._cache

    async def close(self) -> None:
        """Close connections and end threads. Transfers must have been cancelled before."""
        await self._schemes.close()
        self._desk.close()
