"""The documents about notifications; as `documents`."""

from __future__ import annotations

from msgspec import Struct

from .documents import EventDocument, SubscriptionDocument


class NewSubscriptionDocument(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A subscription to make: to one `activity`, or to all of yours that fit `tags`, `resource` and `name`."""

    url: str
    activity: str | None = None
    states: list[str] = []
    kinds: list[str] = []
    tags: dict[str, str] = {}
    resource: str | None = None
    name: str | None = None
    secret: str | None = None


class RotationDocument(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Another secret for a subscription, made by the service where it is not given.

    `overlap` is for how many seconds the one before it signs as well.
    """

    secret: str | None = None
    overlap: float | None = None


class SubscriptionPage(Struct, kw_only=True):
    """Subscriptions, newest first; pass `next` as ``cursor`` for the following ones."""

    items: list[SubscriptionDocument]
    next: str | None = None


class DeadLetterDocument(Struct, omit_defaults=True, kw_only=True):
    """A message that was given up. `number` is what it is sent again by, `message` the id its receiver knows."""

    number: int
    message: str
    subscription: str
    url: str
    activity: str
    event: EventDocument
    recorded: str
    died: str
    attempts: int
    reason: str = ""


class DeadLetterPage(Struct, kw_only=True):
    """Dead letters, oldest first; pass `next` as ``cursor`` for the following ones."""

    items: list[DeadLetterDocument]
    next: str | None = None
