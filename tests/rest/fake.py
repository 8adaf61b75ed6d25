"""Operations kept in memory, to test translations with. What it does to activities is what a test tells it to."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from argosy.delegation import Keeper, Vault
from argosy.languages.glue2 import Document, Entity
from argosy.languages.native import Description, encode, to_model
from argosy.model import (
    ActivityState,
    ArgosyError,
    Conflict,
    EnvironmentParameter,
    InvalidInput,
    InvalidStateException,
    NotFound,
    PreconditionFailed,
    RuntimeEnvironment,
    Share,
)
from argosy.model.actions import Action
from argosy.model.description import session_path
from argosy.service.activities.changing import StateConflict
from argosy.service.administration.admission import Drain
from argosy.service.administration.figures import Overview, ResourceFigures, Work
from argosy.service.caller import Caller
from argosy.service.contract import (
    ChangeRequest,
    CommandOutcome,
    CreateRequest,
    FileInfo,
    OpenFile,
    ResourceShare,
)
from argosy.service.credentials.operations import CredentialOperations
from argosy.service.files.conditions import ALWAYS, Conditions
from argosy.service.files.progress import Transfer
from argosy.service.information.activities import computing_activity
from argosy.service.information.capabilities import Actions, Capabilities
from argosy.service.information.inquiry import Extent
from argosy.service.information.published import Published
from argosy.service.matching.resources import LastError
from argosy.staging import Capability
from argosy.store import Activity, Created, Event, Query, StoredCredential, StoreFigures, Wish
from tests.rest.fake_notifications import FakeNotifications
from tests.rest.fake_usage import FakeUsage
from tests.rest.no_sweeps import NoSweeps

TOKEN = "test-token-0123456789"
CALLER = Caller("alice")


class Credentials:
    """What the keeper of credentials needs of a store."""

    def __init__(self) -> None:
        self.kept: dict[str, StoredCredential] = {}

    async def add_credential(self, new: StoredCredential, most: int) -> bool:
        self.kept[new.id] = new
        return len(self.kept) <= most

    async def credential(self, id: str) -> StoredCredential | None:
        return self.kept.get(id)

    async def credentials(self, owner: str) -> list[StoredCredential]:
        return [one for one in self.kept.values() if one.owner == owner]

    async def change_credential(self, new: StoredCredential) -> bool:
        self.kept[new.id] = new
        return True

    async def remove_credential(self, id: str) -> bool:
        return self.kept.pop(id, None) is not None


class FakeOperations(NoSweeps, FakeNotifications, FakeUsage, CredentialOperations):
    """One dictionary of activities, one list of events, one dictionary of files for each activity."""

    def __init__(self) -> None:
        super().__init__()
        self.activities: dict[str, Activity] = {}
        self.keeper = Keeper(Credentials(), Vault([bytes(32)]))
        self.descriptions: dict[str, Description] = {}
        self.log: list[Event] = []
        self.files: dict[str, dict[str, tuple[bytes, bool]]] = {}
        self.keys: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.changed = asyncio.Event()
        self.open_files = 0
        self.streams = 0
        self.failure: BaseException | None = None
        self.purged: list[tuple[str, bool]] = []
        self.stopping = False
        self.administered: list[tuple[object, ...]] = []
        self.asked: list[tuple[str, str | None, str | None, float]] = []

    # -- what tests do --------------------------------------------------------------------------------

    def advance(self, id: str, state: ActivityState, message: str | None = None, **changes: Any) -> None:
        record = self.activities[id]
        now = time.time()
        self.activities[id] = record.but(state=state, version=record.version + 1, changed=now, **changes)
        self.emit(id, "state", message)

    def emit(self, id: str, kind: str, message: str | None = None) -> None:
        record = self.activities[id]
        self.log.append(Event(id, time.time(), kind, record.state, message, seq=len(self.log) + 1))
        self._wake()

    def write(self, id: str, path: str, data: bytes, *, executable: bool = False) -> None:
        self.files[id][path] = (data, executable)

    def end_streams(self) -> None:
        self.stopping = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    # -- activities -----------------------------------------------------------------------------------

    async def create(self, caller: Caller, requests: Sequence[CreateRequest]) -> list[Created | ArgosyError]:
        if self.failure is not None:
            raise self.failure
        return [one if isinstance(one, InvalidInput) else self._create(caller, one) for one in requests]

    def _create(self, caller: Caller, request: CreateRequest) -> Created | ArgosyError:
        try:
            to_model(request.description)
        except InvalidInput as error:
            return error
        digest = encode(request.description)
        if request.key is not None and (caller.name, request.key) in self.keys:
            id, known = self.keys[caller.name, request.key]
            if known != digest:
                return Conflict("this submission id was used for something else", element="key")
            return Created(self.activities[id], existed=True)
        id = f"a{len(self.descriptions):019d}"
        resource, _, queue = (request.description.share or "fake").partition("/")
        state = ActivityState.HELD if request.description.held else ActivityState.PENDING
        now = time.time()
        self.activities[id] = Activity(
            id=id,
            owner=caller.name,
            state=state,
            version=1,
            created=now,
            changed=now,
            name=request.description.name,
            resource=resource,
            queue=queue or None,
            tags=request.description.tags,
        )
        self.descriptions[id] = request.description
        self.files[id] = {}
        if request.key is not None:
            self.keys[caller.name, request.key] = (id, digest)
        self.emit(id, "created")
        return Created(self.activities[id])

    async def change(
        self, caller: Caller, requests: Sequence[ChangeRequest], *, wait: float = 10.0
    ) -> list[Activity | ArgosyError]:
        def one(request: ChangeRequest) -> Activity | ArgosyError:
            try:
                record = self._get(caller, request.id)
                if request.action == "suspend":
                    raise StateConflict("it does not run", [Action.HOLD])
            except ArgosyError as error:
                return error
            self.asked.append((request.id, request.action, request.state, wait))
            self.advance(request.id, record.state, wish=Wish(Action(request.action or "hold"), caller.name, 1.0))
            return self.activities[request.id]

        return [one(request) for request in requests]

    async def counts(self, caller: Caller) -> dict[str, int]:
        return dict(Counter(one.state.value for one in self.activities.values() if one.owner == caller.name))

    async def drain(self, caller: Caller, message: str | None = None, retry_after: float = 300.0) -> None:
        self.administered.append(("drain", message, retry_after))

    async def admit(self, caller: Caller) -> None:
        self.administered.append(("admit",))

    async def stop(self, caller: Caller, within: float = 60.0) -> None:
        self.administered.append(("stop", within))

    async def overview(self, caller: Caller) -> Overview:
        error = LastError(3.0, "submit", "slurmctld is away")
        return Overview(
            worker="here",
            started=1.0,
            now=5.0,
            drain=Drain("root", 2.0, "new disks"),
            stopping=False,
            resources=[ResourceFigures("fake", "fake", True, None, {"pending": 1}, error)],
            unplaced={},
            work=Work(1, 2, {"submit": 3}, 4),
            store=StoreFigures({"pending": 1}, 5, {"here": 6.0}, 4096),
        )

    def _get(self, caller: Caller, id: str) -> Activity:
        record = self.activities.get(id)
        if record is None or record.owner != caller.name:
            raise NotFound(f"there is no activity {id}")
        return record

    def _each(self, caller: Caller, ids: Sequence[str], act: Any = None) -> list[Activity | ArgosyError]:
        results: list[Activity | ArgosyError] = []
        for id in ids:
            try:
                record = self._get(caller, id)
                if act is not None:
                    act(record)
                results.append(self.activities[id])
            except ArgosyError as error:
                results.append(error)
        return results

    async def start(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        def go(record: Activity) -> None:
            if record.state is not ActivityState.HELD:
                raise InvalidStateException(f"{record.id} is not held")
            self.advance(record.id, ActivityState.PENDING)

        return self._each(caller, ids, go)

    async def status(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        if self.failure is not None:
            raise self.failure
        return self._each(caller, ids)

    async def description(self, caller: Caller, id: str) -> Description:
        self._get(caller, id)
        return self.descriptions[id]

    async def page(self, caller: Caller, query: Query) -> tuple[list[Activity], str | None]:
        fitting = [
            a
            for a in sorted(self.activities.values(), key=lambda a: a.id, reverse=True)
            if a.owner == caller.name
            and (not query.states or any(a.state.within(s) for s in query.states))
            and all(a.tags.get(k) == v for k, v in query.tags)
            and query.name in (None, a.name)
            and query.resource in (None, a.resource)
            and (query.created_from is None or a.created >= query.created_from)
            and (query.created_before is None or a.created < query.created_before)
            and (query.after is None or a.id < query.after)
        ]
        page = fitting[: query.limit]
        return page, page[-1].id if len(fitting) > len(page) else None

    async def events(self, caller: Caller, id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        self._get(caller, id)
        return [e for e in self.log if e.activity == id and e.seq > after][:limit]

    @property
    def newest(self) -> int:
        return len(self.log)

    async def stream(
        self, caller: Caller, ids: Sequence[str] = (), *, after: int | None = None
    ) -> AsyncIterator[Sequence[Event]]:
        self.streams += 1
        try:
            at = len(self.log) if after is None else after
            while True:
                waiting = self.changed
                mine = [e for e in self.log[at:] if not ids or e.activity in ids]
                at = max(at, len(self.log))
                if mine:
                    yield mine
                if self.stopping or (ids and all(self.activities[i].state.final for i in ids)):
                    return
                if at == len(self.log):
                    await waiting.wait()
        finally:
            self.streams -= 1

    async def capabilities(self, caller: Caller) -> Capabilities:
        return Capabilities(
            (Actions("fake", "none", ("cancel",)),), (Capability("https", fetch=True, push=True, directories=False),)
        )

    async def information(self, caller: Caller, extent: Extent, published: Published) -> Document:
        async def pages() -> AsyncIterator[list[Entity]]:
            for record in self.activities.values():
                if record.owner == caller.name:
                    yield [computing_activity(record, self.about)]

        async def ids() -> AsyncIterator[list[str]]:
            async for (entity,) in pages():
                yield [entity.id]

        service = self.about.urn("ComputingService")
        endpoints = [
            Entity(
                "ComputingEndpoint",
                f"{service}:{one.key}",
                {"URL": one.url, "InterfaceName": one.name, "HealthState": "ok", "ServingState": "production"},
                {"ServiceID": [service]},
            )
            for one in published.interfaces
        ]
        document = Document([Entity("ComputingService", service), *endpoints])
        document.activities = pages() if extent is Extent.FULL else None
        document.ids = ids() if extent is Extent.MEDIUM else None
        return document

    async def terminate(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        def end(record: Activity) -> None:
            if not record.state.final:
                self.advance(record.id, ActivityState.TERMINATING)
                self.advance(record.id, ActivityState.TERMINATED, reason="asked for", ended=time.time())

        return self._each(caller, ids, end)

    async def transfers(self, caller: Caller, id: str) -> list[Transfer]:
        (found,) = await self.status(caller, [id])
        if isinstance(found, ArgosyError):
            raise found
        return [Transfer("fetch", "big", moved=5, total=10)]

    async def restart(self, caller: Caller, ids: Sequence[str], *, over: bool = False) -> list[Activity | ArgosyError]:
        def one(found: Activity | ArgosyError) -> Activity | ArgosyError:
            if isinstance(found, ArgosyError):
                return found
            if found.state is not ActivityState.FAILED or (found.hosts == ("lost",) and not over):
                return InvalidStateException("it cannot be restarted")
            self.advance(found.id, ActivityState.STAGING_IN)
            return self.activities[found.id]

        return [one(found) for found in await self.status(caller, ids)]

    async def purge(self, caller: Caller, ids: Sequence[str], *, terminate: bool = False) -> list[ArgosyError | None]:
        results: list[ArgosyError | None] = []
        for id in ids:
            try:
                if not self._get(caller, id).state.final and not terminate:
                    raise InvalidStateException(f"{id} has not ended; terminate it first")
                del self.activities[id]
                self.purged.append((id, terminate))
                results.append(None)
            except ArgosyError as error:
                results.append(error)
        return results

    async def run_command(
        self, caller: Caller, resource: str, command: str, *, directory: str | None = None, limit: float = 10.0
    ) -> CommandOutcome:
        return CommandOutcome(0, f"{resource}: {command}", "")

    async def environments(self, caller: Caller) -> list[RuntimeEnvironment]:
        threads = EnvironmentParameter("threads", "OMP_NUM_THREADS", "How many.", "1", ("1", "2"))
        return [RuntimeEnvironment("python", "3.11", "Python", (threads,), ("fake/debug",), modules=("python/3.11",))]

    async def shares(self, caller: Caller) -> list[ResourceShare]:
        return [
            ResourceShare("fake", "slurm", Share("debug", True, default=True, nodes=2, cores=8, free_cores=3)),
            ResourceShare("fake", "slurm", Share("long", False, why_not="down for repairs")),
        ]

    # -- files ----------------------------------------------------------------------------------------

    def _info(self, path: str, data: bytes, executable: bool) -> FileInfo:
        return FileInfo(path, "file", len(data), 1_700_000_000.5, executable, f'"{hashlib.sha1(data).hexdigest()}"')

    async def list_files(
        self, caller: Caller, id: str, path: str, *, after: str | None = None, limit: int = 1000
    ) -> tuple[list[FileInfo], str | None]:
        self._get(caller, id)
        start = "" if path == "." else session_path(path) + "/"
        entries: dict[str, FileInfo] = {}
        for name, (data, executable) in self.files[id].items():
            if name.startswith(start):
                head, slash, _ = name[len(start) :].partition("/")
                if slash:
                    entries[head] = FileInfo(start + head, "directory", 0, 0.0, False, "")
                else:
                    entries[head] = self._info(name, data, executable)
        names = sorted(name for name in entries if after is None or name > after)
        page = names[:limit]
        return [entries[name] for name in page], page[-1] if len(names) > len(page) else None

    async def open_file(self, caller: Caller, id: str, path: str) -> FileInfo | OpenFile:
        self._get(caller, id)
        normal = posixpath.normpath(path) if path == "." else session_path(path)
        found = self.files[id].get(normal)
        if found is None:
            if normal == "." or any(name.startswith(normal + "/") for name in self.files[id]):
                return FileInfo(normal, "directory", 0, 0.0, False, "")
            raise NotFound(f"there is no file {path!r}")
        data, executable = found
        self.open_files += 1

        def close() -> None:
            self.open_files -= 1

        def read(at: int, size: int) -> bytes:
            # What it has by then: it may be growing.
            return self.files[id].get(normal, found)[0][at : at + size]

        return OpenFile(self._info(normal, data, executable), read, close)

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
        if self._get(caller, id).state.in_lrms:
            raise InvalidStateException(f"{id} has been submitted")
        normal = session_path(path)
        self._check(id, normal, conditions)
        data = b"".join([part async for part in content])
        self.files[id][normal] = (data, executable)
        return self._info(normal, data, executable)

    def _check(self, id: str, path: str, conditions: Conditions) -> None:
        there = self.files[id].get(path)
        info = None if there is None else self._info(path, *there)
        if not conditions.hold(info.etag if info else None, info.modified if info else 0.0):
            raise PreconditionFailed("it is not so")

    async def delete_file(self, caller: Caller, id: str, path: str, *, conditions: Conditions = ALWAYS) -> None:
        self._get(caller, id)
        if session_path(path) in self.files[id]:
            self._check(id, session_path(path), conditions)
        if self.files[id].pop(session_path(path), None) is None:
            raise NotFound(f"there is no file {path!r}")
