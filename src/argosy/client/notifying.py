"""The clients' part about notifications: subscriptions, and the messages that could not be delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TypeVar

from argosy.languages.documents import Problem, SubscriptionDocument
from argosy.languages.documents_notifications import DeadLetterDocument, NewSubscriptionDocument, RotationDocument

from . import calls
from .calls import Call

T = TypeVar("T")

_PAGE = 200


def _new(
    url: str,
    activity: str | None,
    states: Sequence[str],
    kinds: Sequence[str],
    tags: Mapping[str, str] | None,
    resource: str | None,
    name: str | None,
    secret: str | None,
) -> NewSubscriptionDocument:
    return NewSubscriptionDocument(
        url=url,
        activity=activity,
        states=list(states),
        kinds=list(kinds),
        tags=dict(tags or {}),
        resource=resource,
        name=name,
        secret=secret,
    )


class Notifying:
    """Mixed into `Client`."""

    def _do(self, call: Call[T]) -> T:
        raise NotImplementedError

    def subscribe(
        self,
        url: str,
        *,
        activity: str | None = None,
        states: Sequence[str] = (),
        kinds: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        resource: str | None = None,
        name: str | None = None,
        secret: str | None = None,
    ) -> SubscriptionDocument:
        """Have a URL told what happens from now on: to one activity, or to all of yours that fit.

        Without `states` all are told of; ``final`` stands for the three final ones. The answer has the secret, for
        `argosy.client.webhooks.verify`; it is shown this once.
        """
        return self._do(calls.subscribe(_new(url, activity, states, kinds, tags, resource, name, secret)))

    def subscriptions(self, *, activity: str | None = None) -> Iterator[SubscriptionDocument]:
        """Your subscriptions, newest first; those to one activity where it is named."""
        cursor = None
        while True:
            page = self._do(calls.subscriptions(activity, _PAGE, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def rotate_secret(
        self, id: str, *, secret: str | None = None, overlap: float | None = None
    ) -> SubscriptionDocument:
        """Have messages signed with another secret; the answer has it, this once.

        The one before it signs beside it for `overlap` seconds, or as long as the service is configured to let it; with
        0 nothing but the new one signs from now on.
        """
        return self._do(calls.rotate_secret(id, RotationDocument(secret=secret, overlap=overlap)))

    def unsubscribe(self, id: str) -> None:
        """Tell it nothing more."""
        self._do(calls.unsubscribe(id))

    def dead_letters(self) -> Iterator[DeadLetterDocument]:
        """The messages to your URLs that were given up, oldest first."""
        cursor = None
        while True:
            page = self._do(calls.dead_letters(_PAGE, cursor))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def resend(self, numbers: Sequence[int]) -> list[Problem | None]:
        """Have dead letters tried again; for each what is wrong with that, or None."""
        return self._do(calls.resend(numbers))


class AsyncNotifying:
    """Mixed into `AsyncClient`: `Notifying`, method by method."""

    async def _do(self, call: Call[T]) -> T:
        raise NotImplementedError

    async def subscribe(
        self,
        url: str,
        *,
        activity: str | None = None,
        states: Sequence[str] = (),
        kinds: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        resource: str | None = None,
        name: str | None = None,
        secret: str | None = None,
    ) -> SubscriptionDocument:
        """Have a URL told what happens from now on; see `Notifying.subscribe`."""
        return await self._do(calls.subscribe(_new(url, activity, states, kinds, tags, resource, name, secret)))

    async def subscriptions(self, *, activity: str | None = None) -> AsyncIterator[SubscriptionDocument]:
        """Your subscriptions, newest first; those to one activity where it is named."""
        cursor = None
        while True:
            page = await self._do(calls.subscriptions(activity, _PAGE, cursor))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def rotate_secret(
        self, id: str, *, secret: str | None = None, overlap: float | None = None
    ) -> SubscriptionDocument:
        """Have messages signed with another secret; see `Notifying.rotate_secret`."""
        return await self._do(calls.rotate_secret(id, RotationDocument(secret=secret, overlap=overlap)))

    async def unsubscribe(self, id: str) -> None:
        """Tell it nothing more."""
        await self._do(calls.unsubscribe(id))

    async def dead_letters(self) -> AsyncIterator[DeadLetterDocument]:
        """The messages to your URLs that were given up, oldest first."""
        cursor = None
        while True:
            page = await self._do(calls.dead_letters(_PAGE, cursor))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def resend(self, numbers: Sequence[int]) -> list[Problem | None]:
        """Have dead letters tried again; for each what is wrong with that, or None."""
        return await self._do(calls.resend(numbers))
