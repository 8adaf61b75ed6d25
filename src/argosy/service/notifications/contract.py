"""What the service offers to endpoints about notifications."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from argosy.model import ArgosyError
from argosy.model.notification import Callback
from argosy.service.caller import Caller
from argosy.store import Delivery, Subscription


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A subscription to make: to one activity, or to all of the caller's that fit `tags`, `resource` and `name`."""

    callback: Callback
    activity: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    resource: str | None = None
    name: str | None = None


class Notifications(ABC):
    """A part of `argosy.service.contract.Operations`."""

    @abstractmethod
    async def subscribe(self, caller: Caller, new: NewSubscription) -> Subscription:
        """Tell a URL what happens from now on. The answer has the secret, which is shown this once.

        Raises InvalidInput, NotAllowed for a URL that this service does not connect to, NotFound for the activity, and
        LimitExceeded.
        """

    @abstractmethod
    async def subscriptions(
        self, caller: Caller, *, activity: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Subscription]:
        """The caller's subscriptions, newest first; those made before the one `after`."""

    @abstractmethod
    async def unsubscribe(self, caller: Caller, id: str) -> None:
        """Remove one of them, with what was still to be told. Raises NotFound."""

    @abstractmethod
    async def rotate_secret(
        self, caller: Caller, id: str, *, secret: str | None = None, overlap: float | None = None
    ) -> Subscription:
        """Give a subscription another secret, made here where none is given. The answer has it, this once.

        The one before it signs beside it for `overlap` seconds; with 0 nothing but the new one signs from now on.
        Raises NotFound, InvalidInput, and LimitExceeded where several old ones sign still.
        """

    @abstractmethod
    async def dead_letters(self, caller: Caller, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        """The messages to the caller's URLs that were given up, oldest first; those with a number above `after`."""

    @abstractmethod
    async def resend(self, caller: Caller, numbers: Sequence[int]) -> list[ArgosyError | None]:
        """Try dead letters again; each is answered in its place."""
