"""The contract for a store: where activities, their events and the outbox are kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from argosy.model import ActivityState, Conflict

from .administration import AdministrationStore
from .notifications import NotificationStore
from .records import Activity, Change, Chore, Created, Event, NewActivity, Query, StoredCredential
from .sweeps import SweepStore
from .usage import UsageStore


class Store(NotificationStore, SweepStore, UsageStore, AdministrationStore):
    """Durable records. When a call that writes has returned, what it wrote survives a crash of the machine.

    Each element of a vector is one transaction as far as anybody can see: it is recorded whole, with its events and
    outbox entries, or not at all, whatever happens to the others.
    """

    @abstractmethod
    async def open(self) -> None:
        """Open it, bringing its schema up to date."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was asked for, and close."""

    # -- activities -------------------------------------------------------------------------------

    @abstractmethod
    async def create(self, new: Sequence[NewActivity]) -> list[Created | Conflict]:
        """Record new activities. A key that its owner has used answers with the first activity; with another digest,
        or where that activity has been purged, with Conflict. A key is free again for an activity created when it has
        expired or later. Raises ValueError where an id is used already: that element is not recorded, the others are.
        """

    @abstractmethod
    async def get(self, ids: Sequence[str]) -> dict[str, Activity]:
        """Those that exist."""

    @abstractmethod
    async def description(self, id: str) -> bytes | None:
        """The description of an activity, as it was recorded."""

    @abstractmethod
    async def page(self, query: Query) -> tuple[list[Activity], str | None]:
        """A page of activities, newest first, and what to pass as `Query.after` for the next; None at the end."""

    @abstractmethod
    async def count(self, states: Sequence[str] = ()) -> int:
        """How many activities there are in these states and their sub-states; all of them where none is named."""

    @abstractmethod
    async def tally(self) -> dict[str | None, dict[ActivityState, int]]:
        """How many activities that have not ended are in each state, by the resource they go to."""

    @abstractmethod
    async def change(self, changes: Sequence[Change]) -> list[Activity | Conflict]:
        """Record changes. Answers with the new record, its version one higher; Conflict where the version was not
        the newest any more or the activity is gone. Owner and time of creation stay as they are.

        Raises ValueError where a state cannot follow (`argosy.model.activity.may_follow`): that element is not
        recorded, the others are. An event of the kind ``restarted`` takes a failed activity back into one of
        `argosy.model.activity.RESTARTS`; its `restarts` must have grown."""

    @abstractmethod
    async def purge(self, ids: Sequence[str], chores: Sequence[tuple[str, dict[str, object]]]) -> None:
        """Remove activities with their events and descriptions, and add outbox entries, in one transaction. Keys stay
        until they expire, so that a late repeat does not run again. Raises Conflict, and removes nothing, where one of
        them has not ended."""

    @abstractmethod
    async def expired(self, now: float, limit: int) -> list[str]:
        """The final activities whose `expires` has passed. Expired keys are removed on the way."""

    # -- work -------------------------------------------------------------------------------------

    @abstractmethod
    async def beat(self, worker: str, until: float) -> None:
        """This worker is alive until then, whatever happens."""

    @abstractmethod
    async def take(self, worker: str, now: float, limit: int) -> list[Activity]:
        """Put unfinished activities that no living worker has into this worker's hands, oldest first.

        Their version grows by one, so that what another worker decided about them before is refused."""

    @abstractmethod
    async def in_hand(self, worker: str) -> list[str]:
        """The unfinished activities that a worker has, oldest first."""

    @abstractmethod
    async def retire(self, worker: str) -> None:
        """This worker stops; others may take what it had at once."""

    @abstractmethod
    async def retire_all(self) -> None:
        """No worker is alive: said by one that knows, since it has the store to itself, before its own first `beat`."""

    # -- credentials ------------------------------------------------------------------------------

    @abstractmethod
    async def add_credential(self, new: StoredCredential, most: int) -> bool:
        """Record one; False, and nothing is recorded, where its owner has `most` of them already."""

    @abstractmethod
    async def credential(self, id: str) -> StoredCredential | None:
        """One of anybody's."""

    @abstractmethod
    async def credentials(self, owner: str) -> list[StoredCredential]:
        """All of an owner's, oldest first."""

    @abstractmethod
    async def change_credential(self, new: StoredCredential) -> bool:
        """Record it with its version one higher; False where the version is not the newest any more, or it is gone."""

    @abstractmethod
    async def remove_credential(self, id: str) -> bool:
        """Remove one; False where it was not there."""

    @abstractmethod
    async def due_credentials(self, now: float, limit: int) -> list[StoredCredential]:
        """Those whose time to be renewed has come, the most urgent first."""

    @abstractmethod
    async def forget_credentials(self, before: float) -> None:
        """Remove those that have expired before a time."""

    # -- events and outbox ------------------------------------------------------------------------

    @abstractmethod
    async def events(self, activity: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        """The events of one activity in order, those after `seq` `after`."""

    @abstractmethod
    async def feed(self, owner: str | None, *, after: int, limit: int = 1000) -> list[Event]:
        """The events of all activities of an owner (None: of everybody) in order, those after `seq` `after`."""

    @abstractmethod
    async def last_seq(self) -> int:
        """The `seq` of the newest event, 0 where there is none."""

    @abstractmethod
    def subscribe(self, listener: Callable[[Sequence[Event], dict[str, Activity]], None]) -> Callable[[], None]:
        """Call `listener` in the event loop after each commit that wrote events, until the returned function is called.

        It is given the events, in the order of `seq`, and the records they are about by id.
        """

    @abstractmethod
    async def chores(self, now: float, limit: int) -> list[Chore]:
        """Outbox entries that are due."""

    @abstractmethod
    async def chore_done(self, ids: Sequence[int]) -> None:
        """Remove outbox entries: done."""

    @abstractmethod
    async def chore_later(self, id: int, due: float) -> None:
        """Try this outbox entry again at `due`, counting the attempt."""
