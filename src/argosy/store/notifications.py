"""Subscriptions to what happens to activities, and the outbox of what is to be told: records, and the contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from argosy.model.notification import told

from .records import Activity, Event


class Sealer(Protocol):
    """Seals secrets for the database; `argosy.delegation.Vault` is one. Its keys have names, which are no secrets."""

    @property
    def current(self) -> str:
        """The name of the key that it seals with."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the keys that it can open with."""

    def seal(self, secret: bytes, *bound: str) -> bytes:
        """The secret so that only `open` with the same `bound` texts gives it back."""

    def open(self, sealed: bytes, *bound: str) -> bytes:
        """What was sealed. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class OldSecret:
    """A secret that a newer one has taken the place of, and that signs beside it `until` then."""

    secret: str = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told of what. Times are seconds since the epoch.

    `host` is ``SCHEME://NAME:PORT`` of the URL. Without `activity` it is about all of the owner's that have all these
    `tags`, this `resource` and this `name`, where they are given. `ended` is set once nothing more is told, `why` says
    how that came. `older` are the secrets that were rotated out and still sign; `older_until` is when the last of them
    stops. A store that cannot open the secret any more gives an empty one.
    """

    id: str
    owner: str
    url: str
    host: str
    secret: str = field(repr=False)
    created: float
    activity: str | None = None
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    resource: str | None = None
    name: str | None = None
    ended: float | None = None
    why: str | None = None
    older: tuple[OldSecret, ...] = field(default=(), repr=False)
    older_until: float | None = None

    def concerns(self, activity: Activity, event: Event) -> bool:
        """Whether an event of an activity of the same owner is to be told of."""
        if not told(self.states, self.kinds, event.kind, event.state):
            return False
        if self.activity is not None:
            return self.activity == activity.id
        return (
            (self.resource is None or self.resource == activity.resource)
            and (self.name is None or self.name == activity.name)
            and all(activity.tags.get(key) == value for key, value in self.tags.items())
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of the outbox: an event, and the record as it was then.

    `number` is its place in the outbox, `created` when it was recorded, `attempts` how often it was tried in vain.
    `died` is when it became a dead letter, `words` why the last attempt failed.
    """

    number: int
    subscription: str
    url: str
    secret: str = field(repr=False)
    owner: str
    host: str
    event: Event
    activity: Activity
    created: float
    due: float
    attempts: int = 0
    words: str | None = None
    died: float | None = None
    older: tuple[OldSecret, ...] = field(default=(), repr=False)
    unsigned: str | None = None
    """Why it cannot be signed, where the secret could not be opened."""

    @property
    def id(self) -> str:
        """What the receiver knows it by: the same each time it is sent."""
        return f"msg_{self.subscription}_{self.event.seq}"


class NotificationStore(ABC):
    """The part of a store that is about notifications.

    What a subscription is to be told is recorded in the transaction that records the event, in `create` and `change`.
    """

    @abstractmethod
    async def add_subscription(self, new: Subscription, most: int) -> None:
        """Record a subscription. Raises LimitExceeded where its owner (with `activity`: the activity) has `most` that
        have not ended, NotFound where the activity is not there."""

    @abstractmethod
    async def subscriptions(
        self, owner: str, *, activity: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Subscription]:
        """An owner's subscriptions, those of one activity where it is named, newest first; those before the id `after`,
        where it is given."""

    @abstractmethod
    async def remove_subscription(self, owner: str, id: str) -> bool:
        """Remove a subscription and all that it was still to be told. False where the owner has none of that id."""

    @abstractmethod
    async def rotate_secret(
        self, owner: str, id: str, secret: str, now: float, *, until: float, most: int
    ) -> Subscription:
        """Give a subscription another secret; the one before it signs beside it `until` then, as those before that as
        long as they had. Where `until` is not after `now` none of them signs any more. Raises NotFound, LimitExceeded
        where more than `most` would."""

    @abstractmethod
    async def end_subscription(self, id: str, now: float, why: str) -> None:
        """Tell a subscription nothing any more; what was waiting for it is dropped."""

    @abstractmethod
    async def sealed_out(self) -> int:
        """How many subscriptions there are whose secrets are sealed with a key that is not there."""

    @abstractmethod
    async def waiting(self) -> list[str]:
        """The hosts for which something waits."""

    @abstractmethod
    async def next_due(self, host: str, now: float) -> float | None:
        """When the first is due of what waits for a host and is not due yet; None where nothing does."""

    @abstractmethod
    async def due(self, host: str, now: float, limit: int) -> list[Delivery]:
        """What is to be sent to a host now, the longest due first. Of one subscription and activity only the first."""

    @abstractmethod
    async def shift_due(self, by: float) -> None:
        """The clock was set by so many seconds: what was put off is due as long from now as it was before that."""

    @abstractmethod
    async def delivered(self, number: int) -> None:
        """It has arrived: remove it, and let the next in its line go."""

    @abstractmethod
    async def put_off(self, number: int, due: float, words: str) -> None:
        """It failed in these words; try again at `due`."""

    @abstractmethod
    async def give_up(self, number: int, now: float, words: str) -> None:
        """Make it a dead letter, and let the next in its line go."""

    @abstractmethod
    async def dead_letters(self, owner: str, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        """An owner's dead letters, oldest first, those with a `number` above `after`."""

    @abstractmethod
    async def resend(self, owner: str, numbers: Sequence[int], now: float) -> list[bool]:
        """Try dead letters again, from the beginning; for each whether it was one of the owner's."""

    @abstractmethod
    async def trim_outbox(self, now: float, *, before: float, most_dead: int, most_waiting: int) -> None:
        """Keep it bounded: remove dead letters that died, and subscriptions that ended, before `before`; the oldest
        dead letters of an owner beyond `most_dead`; and make dead letters of the oldest that wait for a subscription
        beyond `most_waiting`."""

    @abstractmethod
    def on_outbox(self, listener: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Call `listener` in the event loop after each commit that put something to be sent into the outbox, with the
        hosts it is for, until the returned function is called."""
