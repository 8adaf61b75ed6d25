"""The durable records: activities and their events.

Those that are made several times for each job are msgspec's structs: a frozen dataclass of this many fields takes forty
times as long to make. They cannot refer to themselves, so the collector of garbage need not look through them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from argosy.model import ActivityState, Outcome, Usage
from argosy.model.actions import Action


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked of an activity: hold, release, suspend or resume; by whom, and when (seconds since the epoch).

    `done`: it has come about. `words`: why it has not yet, where the batch system could not be asked.
    """

    action: Action
    by: str
    at: float
    done: bool = False
    words: str | None = None


#: Stands for the native id of a job that has none, and whose claim is taken so that no copy of it ever runs.
WITHDRAWN = ""

if TYPE_CHECKING:
    from .notifications import Subscription


class Activity(msgspec.Struct, frozen=True, gc=False):
    """The service's record of one requested job. Times are seconds since the epoch (UTC).

    `version` grows by one with each change; a change names the version it was decided on, so that two workers
    cannot both change the same state. `worker` is the worker that has it in hand.
    """

    id: str
    owner: str
    state: ActivityState
    version: int
    created: float
    changed: float
    name: str | None = None
    resource: str | None = None
    """The resource it goes to, e.g. ``slurm``."""
    queue: str | None = None
    """The queue within the resource, where one was chosen."""
    session: str = ""
    """The session directory, an absolute path on the service's host."""
    intended: float | None = None
    """When the intention to submit was recorded. From then on the batch system is asked before it is submitted."""
    native_id: str | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    """Why it is in this state, for people."""
    hosts: tuple[str, ...] = ()
    start_estimate: float | None = None
    usage: Usage | None = None
    final_at: float | None = None
    """When it reached a final state."""
    expires: float | None = None
    """When it may be purged."""
    worker: str | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    terminate_by: str | None = None
    """Who asked for it to be ended."""
    noted: float = 0.0
    """The time of its newest event."""
    sweep: str | None = None
    """The sweep that it was made for."""
    parameters: dict[str, str | int | float | bool] | None = None
    """The values that it has in its sweep; ``index`` is its number there, from 0."""
    failed_in: ActivityState | None = None
    """Of a failed one, the state in which it failed: from there it can be restarted."""
    outcome: Outcome | None = None
    """How its job ended, as far as that is known."""
    waiting_for: str | None = None
    """What its stage cannot go on without, where its owner must do something: ``credential``. `reason` says more."""
    restarts: int = 0
    """How often it was restarted."""
    earlier: tuple[str, ...] = ()
    """The native ids of the jobs that it had before this one, all of them over; `WITHDRAWN` for one that was withdrawn
    before the batch system had it. Each restart after a job has ended badly is a submission of its own."""
    cores: int | None = None
    """The CPU cores asked for in all; `nodes` and `processes` likewise."""
    nodes: int | None = None
    processes: int | None = None
    account: str | None = None
    """The account that is charged."""
    wish: Wish | None = None
    """What was asked for and is to come about; a hold or a suspension stays here while it lasts."""

    @property
    def tag(self) -> str:
        """What the batch system and the job's claim know its job by: unique to each submission that is meant anew."""
        return self.tag_of(len(self.earlier))

    def tag_of(self, submission: int) -> str:
        """The tag of its first job (0), of the one after the first restart that submitted again (1), and so on."""
        return f"{self.id}-{submission + 1}" if submission else self.id

    waiting_since: float | None = None
    """Since when it waits for a share that takes it, where it does."""
    groups: tuple[str, ...] = ()
    """The groups of its owner when it was created, for shares that are not for everybody."""
    local_account: str | None = None
    """The local account as which everything is done for it; None: that of the service."""
    credentials: tuple[str, ...] = ()
    """The credentials that were named for it, and the proxy that came with the request for it where that was kept."""
    environments: tuple[str, ...] = ()
    """The runtime environments that were chosen for it, each as ``NAME-VERSION``."""

    def but(self, **changes: Any) -> Activity:
        """A copy with some fields changed."""
        return replace(self, **changes)


def activity_of(tag: str) -> str:
    """The id of the activity that a tag belongs to."""
    return tag.partition("-")[0]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened to an activity.

    `seq` orders all events of the service; `kind` is a word for programs (``state``, ``restarted``,
    ``submit-intended``, ``unavailable``, ``fetched``, ...); `state` is the state after it; `message` is for people;
    `by` is who asked, where somebody did.
    """

    activity: str
    time: float
    kind: str
    state: ActivityState
    message: str | None = None
    by: str | None = None
    detail: dict[str, Any] | None = None
    seq: int = 0
    """Given by the store."""


class NewActivity(msgspec.Struct, frozen=True, gc=False):
    """What `Store.create` records in one transaction.

    `description` is the activity description as JSON. `key` is the client's submission id, unique for each owner until
    `key_expires`; `digest` tells whether a repeat asks for the same.
    """

    activity: Activity
    description: bytes
    events: tuple[Event, ...]
    key: str | None = None
    digest: bytes = b""
    key_expires: float = 0.0
    subscriptions: tuple[Subscription, ...] = ()
    """Whom to tell what happens to it."""


class Created(msgspec.Struct, frozen=True, gc=False):
    """The answer for one `NewActivity`: the record, and whether it was made now or by an earlier request."""

    activity: Activity
    existed: bool = False
    subscriptions: tuple[Subscription, ...] = ()
    """Those that were made now, with their secrets."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """A decided change of one activity: its new record, whose `version` is that it was decided on, and the events.

    It may be several transitions at once: the events name the states between the old and the new one, and each
    step must be one that the state model allows.
    """

    activity: Activity
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which activities to list. All that is given must hold; `states` match with their sub-states (``running``).

    The order is that of the ids, which must be that of `created` but for a minute of disagreement between clocks.
    """

    owner: str | None = None
    states: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    resource: str | None = None
    name: str | None = None
    created_from: float | None = None
    created_before: float | None = None
    after: str | None = None
    """The id after which the page begins, newest first."""
    limit: int = 50
    sweep: str | None = None
    """The id of their sweep."""
    native_id: str | None = None
    """The batch system's id; give `resource` too, since every batch system counts from one."""


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential that a user has put into the service's hands. `sealed` is the secret, which the store cannot read;
    `rest` is what may be shown of it. Times are in seconds since the epoch."""

    id: str
    owner: str
    kind: str
    version: int
    created: float
    changed: float
    expires: float | None
    renew_at: float | None
    """When it is to be renewed; None where it cannot be."""
    sealed: bytes = field(repr=False)
    rest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done after its activity is gone, kept until it is done: the outbox's entry.

    `kind` says what (``remove-session``), `payload` with what.
    """

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    due: float
