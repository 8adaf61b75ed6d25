"""``[notifications]`` of the configuration."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0)]
Number = Annotated[int, Meta(ge=1)]


class NotificationConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How messages are sent. Times are in seconds."""

    source: Annotated[str, Meta(min_length=1)] | None = None
    """The `source` of all messages, a URI; a name of this service's own where nothing is said."""
    allow_http: bool = False
    """Whether callbacks may be without TLS."""
    timeout: Seconds = 10.0
    """For one attempt, from the name of the host to the end of the answer."""
    retry_first: Seconds = 5.0
    """The wait before the second attempt; it doubles, up to `retry_most`."""
    retry_most: Seconds = 600.0
    give_up_after: Seconds = 86_400.0
    """How long a message is tried before it is a dead letter."""
    keep_dead: Seconds = 30 * 86_400.0
    """How long dead letters, and subscriptions that have ended, are kept."""
    overlap: Annotated[float, Meta(ge=0, le=30 * 86_400)] = 86_400.0
    """How long the old secret signs beside the new one after a rotation, where the request does not say it."""
    most_dead: Number = 10_000
    """The most dead letters of one user; the oldest go first."""
    most_waiting: Number = 100_000
    """The most messages that wait for one subscription; the oldest beyond that become dead letters."""
    most_subscriptions: Number = 100
    """The most subscriptions of one user to all of the user's activities, and those to one activity."""
    at_once: Number = 8
    """The most messages under way to one host."""
    at_once_in_all: Number = 128
