"""The operations about notifications, mixed into the service."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from argosy.identity.policy import Operation
from argosy.model import ArgosyError, InvalidInput, NotFound, TooLarge, clock
from argosy.model.notification import Callback, check_kind, check_url
from argosy.model.webhooks import key_of, new_secret
from argosy.outbound import OutboundPolicy
from argosy.service.caller import Caller
from argosy.service.ids import new_id
from argosy.service.reaching import demand
from argosy.store import Activity, Delivery, Store, Subscription

from .contract import NewSubscription, Notifications
from .settings import NotificationConfig

#: How long a secret that was rotated out may sign, in seconds; and how many of one subscription at a time.
MOST_OVERLAP = 30 * 86_400.0
MOST_OLD = 4


class NotificationOperations(Notifications):
    """Over the store of the service that it is mixed into."""

    _store: Store
    _outbound: OutboundPolicy
    _notifying: NotificationConfig

    @abstractmethod
    async def _one(self, caller: Caller, operation: Operation, id: str) -> Activity: ...

    @abstractmethod
    def _check_vector(self, items: Sequence[object]) -> None: ...

    async def subscribe(self, caller: Caller, new: NewSubscription) -> Subscription:
        demand(caller, Operation.SUBSCRIBE)
        new.callback.check()
        if new.activity is not None:
            for element in ("tags", "resource", "name"):
                if getattr(new, element):
                    raise InvalidInput("a subscription is to one activity, or to all that fit", element=element)
            await self._one(caller, Operation.SUBSCRIBE, new.activity)
        made = subscription(new.callback, caller.name, new.activity, clock.now(), self._outbound, self._notifying)
        made = replace(made, tags=dict(new.tags), resource=new.resource, name=new.name)
        await self._store.add_subscription(made, self._notifying.most_subscriptions)
        return made

    async def subscriptions(
        self, caller: Caller, *, activity: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Subscription]:
        demand(caller, Operation.SUBSCRIPTIONS)
        return await self._store.subscriptions(caller.name, activity=activity, after=after, limit=limit)

    async def unsubscribe(self, caller: Caller, id: str) -> None:
        demand(caller, Operation.UNSUBSCRIBE)
        if not await self._store.remove_subscription(caller.name, id):
            raise NotFound(f"there is no subscription {id!r}")

    async def rotate_secret(
        self, caller: Caller, id: str, *, secret: str | None = None, overlap: float | None = None
    ) -> Subscription:
        demand(caller, Operation.ROTATE_SECRET)
        if secret is not None:
            key_of(secret)
        lasting = self._notifying.overlap if overlap is None else overlap
        if not 0 <= lasting <= MOST_OVERLAP:
            raise InvalidInput(f"an old secret signs for 0 to {MOST_OVERLAP:.0f} seconds", element="overlap")
        now = clock.now()
        return await self._store.rotate_secret(
            caller.name, id, secret or new_secret(), now, until=now + lasting, most=MOST_OLD
        )

    async def dead_letters(self, caller: Caller, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        demand(caller, Operation.DEAD_LETTERS)
        return await self._store.dead_letters(caller.name, after=after, limit=limit)

    async def resend(self, caller: Caller, numbers: Sequence[int]) -> list[ArgosyError | None]:
        demand(caller, Operation.RESEND)
        self._check_vector(numbers)
        done = await self._store.resend(caller.name, numbers, clock.now())
        return [
            None if was else NotFound(f"there is no dead letter {number}")
            for number, was in zip(numbers, done, strict=True)
        ]


def of_description(
    callbacks: Sequence[Callback],
    owner: str,
    activity: str,
    now: float,
    outbound: OutboundPolicy,
    config: NotificationConfig,
) -> tuple[Subscription, ...]:
    """The subscriptions that a description asks for. Raises as `Notifications.subscribe`, naming the element."""
    if not callbacks:
        return ()
    if len(callbacks) > config.most_subscriptions:
        raise TooLarge(
            f"there are {len(callbacks)} URLs to be told; the most are {config.most_subscriptions}", element="notify"
        )
    return tuple(
        subscription(one, owner, activity, now, outbound, config, at=f"notify[{index}].")
        for index, one in enumerate(callbacks)
    )


def subscription(
    callback: Callback,
    owner: str,
    activity: str | None,
    now: float,
    outbound: OutboundPolicy,
    config: NotificationConfig,
    *,
    at: str = "",
) -> Subscription:
    """The record of a callback that has been checked. Raises InvalidInput, or NotAllowed for where it must not go."""
    for index, kind in enumerate(callback.kinds):
        check_kind(kind, f"{at}kinds[{index}]")
    element = at + "url"
    host = check_url(callback.url, element)
    if not config.allow_http and host.startswith("http:"):
        raise InvalidInput("it must begin with https://, so that nobody on the way can read it", element=element)
    outbound.check(callback.url, element=element)
    return Subscription(
        id=new_id(),
        owner=owner,
        url=callback.url,
        host=host,
        secret=callback.secret or new_secret(),
        created=now,
        activity=activity,
        states=tuple(callback.states),
        kinds=tuple(callback.kinds),
    )
