"""What the service offers to endpoints: the operations of GES 3.1 to 3.5, in vectors.

Each element of a vector is answered in order, by a result or by the error that concerns it alone. An activity of
somebody else answers as one that does not exist.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from argosy.languages.documents_credentials import DelegationRequest, NewCredential
from argosy.languages.glue2 import Document
from argosy.languages.native import Description
from argosy.model import ArgosyError, InvalidInput, RuntimeEnvironment, Share
from argosy.store import (
    Activity,
    Created,
    Delivery,
    Event,
    Query,
    StoredCredential,
    Subscription,
    Sweep,
    SweepDocument,
    SweepEvent,
    SweepQuery,
    UsageQuery,
    UsageRecord,
    UsageSum,
)

from .administration.figures import Overview
from .caller import Caller
from .files.conditions import ALWAYS, Conditions
from .files.progress import Transfer
from .information.about import About
from .information.capabilities import Capabilities
from .information.inquiry import Extent
from .information.published import Published
from .notifications.contract import Notifications
from .policy import ServicePolicy
from .sweeps.contract import SweepOperations
from .usage import UsageOperations

#: The records that the operations take and give are part of the contract: endpoints have them from here.
__all__ = [
    "EVERYBODY",
    "Activity",
    "ChangeRequest",
    "CommandOutcome",
    "CreateRequest",
    "Created",
    "Delivery",
    "Event",
    "FileInfo",
    "OpenFile",
    "Operations",
    "Query",
    "ResourceShare",
    "StoredCredential",
    "Subscription",
    "Sweep",
    "SweepDocument",
    "SweepEvent",
    "SweepQuery",
    "UsageQuery",
    "UsageRecord",
    "UsageSum",
]

#: As the owner in a query: all that the caller may see.
EVERYBODY = "*"


class CreateRequest(msgspec.Struct, frozen=True, gc=False):
    """One activity to create. `key` is the client's own submission id: a repeat answers with the first activity."""

    description: Description
    key: str | None = None
    sweep: str | None = None
    """The sweep that it is made for, with its values there."""
    parameters: Mapping[str, str | int | float | bool] | None = None
    notes: tuple[str, ...] = ()
    """What of its document has no effect, to be told among its events."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """One activity to change: by an action (`argosy.model.actions.Action`), or by the state that it is to go to."""

    id: str
    action: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceShare:
    """A queue of a resource, and which kind of batch system it is of."""

    resource: str
    system: str
    share: Share


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What a command printed, cut off at a mebibyte each, and its exit code; None where it was ended at its limit."""

    exit_code: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class FileInfo:
    """An entry of a session directory. `path` is relative to it; `modified` is seconds since the epoch."""

    path: str
    type: str
    size: int
    modified: float
    executable: bool
    etag: str


@dataclass(slots=True)
class OpenFile:
    """A file opened for reading. `read` gives at most `size` bytes from `offset`; whoever has it calls `close`.

    One that is `far` waits for another process: it is read in a thread, never in the event loop.
    """

    info: FileInfo
    read: Callable[[int, int], bytes]
    close: Callable[[], None]
    far: bool = False


class Operations(Notifications, SweepOperations, UsageOperations):
    """The service. Raises and answers the errors of `argosy.model.errors` only."""

    @property
    def notice(self) -> str | None:
        """Why no new activities are taken now, where they are not; for everybody to see."""
        return None

    @property
    def unready(self) -> list[str]:
        """The parts that keep it from taking requests: ``store``, ``stopping``. Asks nobody."""
        return []

    @property
    def policy(self) -> ServicePolicy:
        """For how long it keeps and tries what, as its owner has decided; for everybody to see."""
        return ServicePolicy()

    @abstractmethod
    async def create(
        self, caller: Caller, requests: Sequence[CreateRequest | InvalidInput]
    ) -> list[Created | ArgosyError]:
        """Record activities and begin to work on them. A bad one is refused with its element and recorded nowhere.

        Each request is taken once, in order, when its turn comes. One that could not be read is answered by itself.
        """

    @abstractmethod
    async def start(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        """Let activities go that were created held."""

    @abstractmethod
    async def change(
        self, caller: Caller, requests: Sequence[ChangeRequest], *, wait: float = 10.0
    ) -> list[Activity | ArgosyError]:
        """Change the status of activities: start, hold, release, suspend, resume, terminate, restart, mixed.

        Each wish is recorded, then brought about. Answers with the record once that is so, or refused, but after `wait`
        seconds in any case: `Activity.wish` is what has not come about by then. Asking for what is so already changes
        nothing; what the state or the batch system does not allow is an InvalidStateException, in its words.
        """

    @abstractmethod
    async def status(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        """The records as they are now."""

    @abstractmethod
    async def description(self, caller: Caller, id: str) -> Description:
        """What was asked for."""

    @abstractmethod
    async def page(self, caller: Caller, query: Query) -> tuple[list[Activity], str | None]:
        """A page of activities, newest first, and the cursor of the next: the caller's own where `query.owner` is None;
        somebody's, or `EVERYBODY`'s, as far as the caller reaches."""

    @abstractmethod
    async def events(self, caller: Caller, id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        """The history of one activity."""

    @property
    @abstractmethod
    def newest(self) -> int:
        """The sequence number of the newest event that streams have been given: where one that begins now begins."""

    @abstractmethod
    def stream(
        self, caller: Caller, ids: Sequence[str] = (), *, after: int | None = None
    ) -> AsyncIterator[Sequence[Event]]:
        """The caller's events as they happen (those of some activities only, where `ids` names some).

        Those after the sequence number `after` come first; None begins now. The stream ends when the service
        stops, or when all of the activities named have reached a final state.
        """

    @abstractmethod
    async def terminate(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        """Begin to end activities, and answer at once. Ending one that has ended, or is ending, changes nothing."""

    @abstractmethod
    async def restart(self, caller: Caller, ids: Sequence[str], *, over: bool = False) -> list[Activity | ArgosyError]:
        """Let failed activities go on from the stage that failed. One whose job failed is submitted again, where that
        job is known to be over; with `over` the caller vouches for it where it was lost sight of."""

    @abstractmethod
    async def purge(self, caller: Caller, ids: Sequence[str], *, terminate: bool = False) -> list[ArgosyError | None]:
        """Remove activities and all that belongs to them. One that has not ended is refused, or with `terminate` ended
        first (this call waits for it)."""

    # -- running the service ----------------------------------------------------------------------

    @abstractmethod
    async def counts(self, caller: Caller) -> dict[str, int]:
        """How many activities the caller has in each state."""

    @abstractmethod
    async def drain(self, caller: Caller, message: str | None = None, retry_after: float = 300.0) -> None:
        """Take no new activities, across restarts too, until `admit`. Callers are told the message, and to ask again
        after so many seconds. Everything else goes on."""

    @abstractmethod
    async def admit(self, caller: Caller) -> None:
        """Take new activities again."""

    @abstractmethod
    async def overview(self, caller: Caller) -> Overview:
        """What the service is doing."""

    @abstractmethod
    async def stop(self, caller: Caller, within: float = 60.0) -> None:
        """Begin to stop gently: take no new activities, finish what is being recorded, submitted and transferred, but
        stop after `within` seconds in any case. Jobs go on."""

    @abstractmethod
    async def run_command(
        self, caller: Caller, resource: str, command: str, *, directory: str | None = None, limit: float = 10.0
    ) -> CommandOutcome:
        """Run a short command on a resource's host, beside any job: what a shell there makes of `command`.

        `directory` is absolute or begins with ``~/``; default: the home directory. After `limit` seconds it is ended.
        Raises InvalidInput for an unknown resource, Unavailable where the host cannot be reached.
        """

    @abstractmethod
    async def shares(self, caller: Caller) -> list[ResourceShare]:
        """Where jobs may go, as it was last seen."""

    #: What the service is called in what it publishes.
    about: About = About(authority="localhost")
    #: How it is reached; whoever serves it says so.
    published: Published = Published()

    @abstractmethod
    async def information(self, caller: Caller, extent: Extent, published: Published) -> Document:
        """The service in GLUE 2 (GES 3.4), with what `extent` asks for of the activities that the caller may see.

        `published` is how it is reached, with the whole URL of each interface. The document is read while it is sent.
        """

    @abstractmethod
    async def capabilities(self, caller: Caller) -> Capabilities:
        """What can be asked of the service, apart from descriptions, which `argosy.languages` tells of."""

    @abstractmethod
    async def environments(self, caller: Caller) -> list[RuntimeEnvironment]:
        """The runtime environments that jobs can ask for, each with all shares where it is (GES 3.7)."""

    @abstractmethod
    async def transfers(self, caller: Caller, id: str) -> list[Transfer]:
        """What is being moved for an activity now, with how far that has come, and what has been in its stage."""

    # -- session directories (GES 3.5) ------------------------------------------------------------

    @abstractmethod
    async def list_files(
        self, caller: Caller, id: str, path: str, *, after: str | None = None, limit: int = 1000
    ) -> tuple[list[FileInfo], str | None]:
        """The entries of a directory by name, those after the name `after`, and the name to go on from."""

    @abstractmethod
    async def open_file(self, caller: Caller, id: str, path: str) -> FileInfo | OpenFile:
        """Open a file for reading; for a directory, its FileInfo."""

    @abstractmethod
    async def put_file(
        self,
        caller: Caller,
        id: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        executable: bool = False,
        conditions: Conditions = ALWAYS,
    ) -> FileInfo:
        """Write a file whole or not at all. Only before the job has been submitted; a declared size or
        checksum must fit, and the conditions must hold: before anything is read, and at last. Raises
        PreconditionFailed."""

    @abstractmethod
    async def delete_file(self, caller: Caller, id: str, path: str, *, conditions: Conditions = ALWAYS) -> None:
        """Remove a file, an empty directory, or a link, not what it leads to; when files can be put."""

    # -- delegation (GES 3.9) ---------------------------------------------------------------------

    @abstractmethod
    async def credentials(self, caller: Caller) -> list[StoredCredential]:
        """The caller's credentials, oldest first: what may be known of them."""

    @abstractmethod
    async def add_credential(self, caller: Caller, new: NewCredential) -> StoredCredential:
        """Keep a credential for the caller's activities."""

    @abstractmethod
    async def replace_credential(self, caller: Caller, id: str, new: NewCredential) -> StoredCredential:
        """Another secret in the place of one; activities that wait for it go on."""

    @abstractmethod
    async def remove_credential(self, caller: Caller, id: str) -> None:
        """Forget a credential."""

    @abstractmethod
    async def request_delegation(self, caller: Caller, asked: DelegationRequest) -> tuple[str, str]:
        """Begin to delegate a proxy: the credential's id, and the signing request (PKCS#10, PEM)."""

    @abstractmethod
    async def finish_delegation(self, caller: Caller, id: str, chain: str) -> StoredCredential:
        """The chain (PEM) that was signed for a request."""
