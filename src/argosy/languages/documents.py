"""The documents that the native REST interface answers with, shared by the endpoint and the client.

Times are RFC 3339 texts in UTC; sizes are bytes; durations are seconds.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from .looks import ModelDocument, SpentDocument
from .native import Description


class UsageDocument(Struct, omit_defaults=True, kw_only=True):
    """What a job used."""

    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    max_rss: int | None = None


class ActivityDocument(Struct, omit_defaults=True, kw_only=True, gc=False):
    """An activity as it is now."""

    id: str
    state: str
    """GES's hierarchical state, e.g. ``running:lrms:queued``."""
    psij_state: str
    """The same in PSI/J's words, e.g. ``QUEUED``."""
    final: bool = False
    owner: str
    created: str
    changed: str
    version: int
    name: str | None = None
    share: str | None = None
    native_id: str | None = None
    submitted: str | None = None
    started: str | None = None
    ended: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    waiting_for: str | None = None
    """What its owner must provide before it goes on: ``credential``. The reason says more."""
    hosts: list[str] = []
    start_estimate: str | None = None
    usage: UsageDocument | None = None
    expires: str | None = None
    asked: str | None = None
    """What was asked for and has not come about yet: ``hold``, ``release``, ``suspend`` or ``resume``."""
    held: bool = False
    """Whether it is kept from running on request, before it is submitted or by the batch system."""
    waiting_since: str | None = None
    """Since when it waits for a share that takes it; `reason` says why."""
    environments: list[str] = []
    """The runtime environments that it runs in, each as ``NAME-VERSION``."""
    tags: dict[str, str] = {}
    sweep: str | None = None
    """The id of the sweep that it belongs to."""
    parameters: dict[str, str | int | float | bool] = {}
    """The values that it has in its sweep; ``index`` is its number there, from 0."""
    notes: list[str] = []
    """In the answer to a creation: what of its description has no effect, or was taken otherwise than written."""
    subscriptions: list[SubscriptionDocument] = []
    """In the answer to a creation: those that it asked for, with their secrets."""
    links: dict[str, str] = {}
    """``self``, ``events``, ``files`` (where to push input and fetch output), ``description``, ``transfers``."""
    told: ModelDocument | None = None
    """The same in another information model's words, where one was asked for."""
    spent: SpentDocument | None = None
    """With verbosity ``full``, as are the next two."""
    history: list[EventDocument] | None = None
    """Its events, the first 1000; ``links.events`` has all of them."""
    description: Description | None = None
    """What was asked for, where the caller may see it."""


class SubscriptionDocument(Struct, omit_defaults=True, kw_only=True):
    """Who is told of what. `secret` is there in the answer to the creation, or to a rotation, only."""

    id: str
    url: str
    created: str
    activity: str | None = None
    """The only one it is about; otherwise all of the owner's with these `tags`, this `resource` and this `name`."""
    states: list[str] = []
    kinds: list[str] = []
    tags: dict[str, str] = {}
    resource: str | None = None
    name: str | None = None
    ended: str | None = None
    """When the telling ended; `why` says how that came."""
    why: str | None = None
    secret: str | None = None
    old_secrets_until: str | None = None
    """Until when secrets that were rotated out sign beside the new one."""

    def __repr__(self) -> str:
        return f"SubscriptionDocument(id={self.id!r}, url={self.url!r})"


class ActivityPage(Struct, kw_only=True):
    """A page of activities, newest first; pass `next` as ``cursor`` for the following one."""

    items: list[ActivityDocument]
    next: str | None = None


class BatchElement(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """One activity of several to create; `submission_id` is the client's own, as Idempotency-Key is for one."""

    description: Description
    submission_id: str | None = None


class ChangeDocument(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What an activity's status is to become: an action (``start``, ``hold``, ``release``, ``suspend``, ``resume``,
    ``terminate``), or the state to go to (``pending:held``, ``running:lrms:suspended``, ...); one of the two."""

    action: str | None = None
    state: str | None = None


class ChangeElement(ChangeDocument, kw_only=True):
    """One activity of several to change."""

    id: str


class EventDocument(Struct, omit_defaults=True, kw_only=True):
    """One thing that happened to an activity."""

    seq: int
    activity: str
    time: str
    kind: str
    state: str
    message: str | None = None
    by: str | None = None
    detail: dict[str, Any] | None = None


class EventPage(Struct, kw_only=True):
    """Events in order; pass the last one's `seq` as ``after`` for the following ones."""

    items: list[EventDocument]


class FileDocument(Struct, omit_defaults=True, kw_only=True):
    """One entry of a session directory."""

    path: str
    """Relative to the session directory. Bytes that are no UTF-8 show as U+FFFD; `href` has them exactly."""
    type: str
    """``file``, ``directory``, ``link`` or ``other``."""
    size: int = 0
    modified: str = ""
    executable: bool = False
    etag: str = ""
    """Changes whenever the content does."""
    href: str = ""
    """Where to get it, percent-encoded."""


class FilePage(Struct, kw_only=True):
    """The entries of a directory, by name; pass `next` as ``cursor`` for the following ones."""

    items: list[FileDocument]
    next: str | None = None


class TransferDocument(Struct, omit_defaults=True, kw_only=True):
    """A file that the service moves for an activity, or has moved in the stage under way."""

    direction: str
    """``fetch`` or ``push``."""
    path: str
    place: str | None = None
    """The source that was used, or the target."""
    moved: int = 0
    """Bytes."""
    total: int | None = None
    seconds: float = 0.0
    rate: int = 0
    """Bytes a second."""
    began: str = ""
    ended: str | None = None
    error: str | None = None


class ShareDocument(Struct, omit_defaults=True, kw_only=True):
    """A resource's queue, as it was last seen."""

    share: str
    """What to put into a description's ``share``."""
    resource: str
    queue: str | None = None
    system: str = ""
    """The kind of batch system."""
    available: bool = True
    default: bool = False
    why_not: str | None = None
    nodes: int | None = None
    cores: int | None = None
    cores_per_node: int | None = None
    free_cores: int | None = None
    memory_per_node: int | None = None
    gpus_per_node: int = 0
    max_nodes: int | None = None
    max_wall: int | None = None
    max_cores: int | None = None
    nodes_up: int | None = None
    jobs_running: int | None = None
    jobs_waiting: int | None = None
    expected_wait: float | None = None
    """Seconds."""
    architectures: list[str] = []
    operating_systems: list[str] = []
    features: list[str] = []
    """The batch system's own."""
    labels: list[str] = []
    """The administrator's; a description asks for them in ``resources.labels``."""
    restricted: bool = False
    """Not everybody may use it."""


class ParameterDocument(Struct, omit_defaults=True, kw_only=True):
    """What a job may set of a runtime environment. Without `default` it must; `allowed` are the only values."""

    name: str
    variable: str
    """The environment variable that the job sees it in."""
    description: str = ""
    default: str | None = None
    allowed: list[str] = []


class EnvironmentDocument(Struct, omit_defaults=True, kw_only=True):
    """A runtime environment that a description can ask for in ``environments``."""

    name: str
    version: str
    description: str = ""
    container: bool = False
    """Whether the job's command runs in a container."""
    parameters: list[ParameterDocument] = []
    shares: list[str] = []
    """Where it is."""


class Problem(Struct, omit_defaults=True, kw_only=True):
    """What went wrong (RFC 9457). `code` is stable; `element` is the path of the field at fault."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    code: str = ""
    element: str | None = None
    instance: str | None = None
    allowed: list[str] = []
    """Of a change that the state does not allow: the actions that it does."""


class Result(Struct, omit_defaults=True, kw_only=True, gc=False):
    """The answer for one element of a vector: an activity or a problem."""

    activity: ActivityDocument | None = None
    problem: Problem | None = None


class ElementDocument(Struct, omit_defaults=True, kw_only=True):
    """An element, field or directive of a description language."""

    name: str
    support: str
    """``mandatory``, ``optional`` or ``unsupported``: refused, unless the element is marked as optional."""
    meaning: str = ""


class LanguageDocument(Struct, omit_defaults=True, kw_only=True):
    """A language that descriptions are taken in, and what is understood of it."""

    name: str
    media_types: list[str]
    elements: list[ElementDocument]


class LimitsDocument(Struct, kw_only=True):
    """What one caller may have at once; 0 is no limit, but for `body`, `vector_body`, `vector` and `sweep`, each of one
    request."""

    body: int
    """Bytes of a JSON body or a description, also of one in a vector."""
    vector_body: int = 0
    """Bytes of a vector of creations; 0: as `body`, from a service that takes no more."""
    vector: int
    """Elements in one request."""
    unfinished: int
    """Activities that have not ended."""
    sessions: int
    """Session directories: activities that were not purged."""
    rate: float
    """Requests a second, on average."""
    burst: int
    """Requests that may come at once after a pause."""
    requests: int
    """Requests under way."""
    streams: int
    """Event streams and long polls."""
    connections: int
    """TCP connections of all clients."""
    connections_per_address: int
    """TCP connections from one address."""
    sweep: int
    """Jobs of a sweep."""
    sweep_window: int
    """Those of a sweep that are unfinished at a time."""
    session_bytes: int
    """What may be brought into one session directory."""
    sessions_bytes: int
    """What may be in all session directories."""


class TimesDocument(Struct, kw_only=True):
    """For how long the service keeps and tries what, in seconds."""

    retention: float
    """A final activity, its status and its files, before it is purged by itself; at least a day."""
    key_lifetime: float
    """A submission id: a repeat answers with the first activity, and nothing runs twice."""
    input_wait: float
    """An activity that waits for its input files, or for a credential."""
    give_up_after: float
    """A submission to a batch system that is away, or a cancellation that has no effect."""
    space_wait: float
    """Staging to a disk that is full."""


class DrainDocument(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """That no new activities are to be taken: what callers are told, and after how many seconds to ask again."""

    message: Annotated[str, Meta(max_length=1000)] | None = None
    retry_after: Annotated[float, Meta(ge=1, le=86_400)] = 300.0


class StopDocument(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How long a service that is to stop may take to finish what it is doing, in seconds."""

    within: Annotated[float, Meta(ge=0, le=3600)] = 60.0


class DrainedDocument(Struct, omit_defaults=True, kw_only=True):
    """That no new activities are taken: who said so, and when."""

    by: str
    since: str
    message: str | None = None
    retry_after: float


class ErrorDocument(Struct, omit_defaults=True, kw_only=True):
    """What went wrong last with a resource."""

    time: str
    doing: str
    words: str


class ResourceStatus(Struct, omit_defaults=True, kw_only=True):
    """One resource, for those who run the service."""

    resource: str
    system: str
    opened: bool
    why_unknown: str | None = None
    unfinished: dict[str, int] = {}
    last_error: ErrorDocument | None = None


class WorkStatus(Struct, kw_only=True):
    """What is being done at this moment, in numbers of activities."""

    waiting: int
    """Happenings that wait to be decided on."""
    recording: int
    """Changes that wait to be on disk."""
    performing: dict[str, int]
    """By what is done: ``submit``, ``watch``, ``cancel``, ``control``, ``check-input``, ..."""
    trying_again: int
    """To be tried again later."""


class WorkerStatus(Struct, kw_only=True):
    """A process of the service, and until when it counts as alive."""

    name: str
    until: str


class TroubleDocument(Struct, omit_defaults=True, kw_only=True):
    """Something that keeps the service from its work."""

    part: str
    """``store``: nothing can be recorded, or read; ``sealing``: secrets cannot be opened; ``resource``: one cannot be
    used."""
    name: str | None = None
    """The resource, or what is sealed."""
    since: str
    words: str


class ReadyDocument(Struct, kw_only=True):
    """That requests can be taken."""

    ready: bool


class ServiceStatus(Struct, omit_defaults=True, kw_only=True):
    """What the service is doing, for those who run it."""

    worker: str
    started: str
    uptime: float
    """Seconds."""
    drained: DrainedDocument | None = None
    stopping: bool = False
    activities: dict[str, int]
    """By state."""
    resources: list[ResourceStatus]
    unplaced: dict[str, int] = {}
    """Unfinished activities that have no resource yet, by state."""
    work: WorkStatus
    chores: int
    """What is left to do after purges."""
    streams: int
    """Event streams and long polls that are open."""
    workers: list[WorkerStatus]
    store_bytes: int
    """On disk."""
    troubles: list[TroubleDocument] = []
    """What keeps it from its work, all of it or a part."""


class ServiceDocument(Struct, omit_defaults=True, kw_only=True):
    """The service itself."""

    name: str
    version: str
    time: str
    shares: list[ShareDocument]
    limits: LimitsDocument | None = None
    times: TimesDocument | None = None
    notice: str | None = None
    """Why no new activities are taken now, where they are not."""
