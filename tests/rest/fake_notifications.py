"""Subscriptions and dead letters kept in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from argosy.model import ArgosyError, NotFound
from argosy.model.notification import check_url
from argosy.model.webhooks import new_secret
from argosy.service.caller import Caller
from argosy.service.notifications import NewSubscription, Notifications
from argosy.store import Delivery, Subscription


class FakeNotifications(Notifications):
    """A part of `FakeOperations`."""

    def __init__(self) -> None:
        self.subscribed: dict[str, Subscription] = {}
        self.dead: dict[int, Delivery] = {}

    async def subscribe(self, caller: Caller, new: NewSubscription) -> Subscription:
        new.callback.check()
        made = Subscription(
            id=f"s{len(self.subscribed):019d}",
            owner=caller.name,
            url=new.callback.url,
            host=check_url(new.callback.url, "url"),
            secret=new.callback.secret or new_secret(),
            created=time.time(),
            activity=new.activity,
            states=tuple(new.callback.states),
            kinds=tuple(new.callback.kinds),
            tags=new.tags,
            resource=new.resource,
            name=new.name,
        )
        self.subscribed[made.id] = made
        return made

    async def subscriptions(
        self, caller: Caller, *, activity: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Subscription]:
        found = sorted(self.subscribed.values(), key=lambda one: one.id, reverse=True)
        fitting = [one for one in found if activity in (None, one.activity) and (after is None or one.id < after)]
        return fitting[:limit]

    async def unsubscribe(self, caller: Caller, id: str) -> None:
        if self.subscribed.pop(id, None) is None:
            raise NotFound(f"there is no subscription {id!r}")

    async def rotate_secret(
        self, caller: Caller, id: str, *, secret: str | None = None, overlap: float | None = None
    ) -> Subscription:
        if id not in self.subscribed:
            raise NotFound(f"there is no subscription {id!r}")
        lasting = 86_400.0 if overlap is None else overlap
        until = time.time() + lasting if lasting else None
        made = replace(self.subscribed[id], secret=secret or new_secret(), older_until=until)
        self.subscribed[id] = made
        return made

    async def dead_letters(self, caller: Caller, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        return [one for number, one in sorted(self.dead.items()) if number > after][:limit]

    async def resend(self, caller: Caller, numbers: Sequence[int]) -> list[ArgosyError | None]:
        return [None if self.dead.pop(number, None) else NotFound(f"there is no {number}") for number in numbers]
