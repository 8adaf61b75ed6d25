"""The execution service: records what is asked for, and answers for it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

import msgspec

from argosy.delegation import Keeper, Vault
from argosy.identity.policy import Operation, Reach
from argosy.languages import native
from argosy.languages.native import Description
from argosy.languages.sweeps import Value
from argosy.model import (
    ActivityDescription,
    ActivityState,
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidStateException,
    LimitExceeded,
    NotFound,
    RuntimeEnvironment,
    Unavailable,
)
from argosy.model.actions import Action
from argosy.outbound import OutboundPolicy
from argosy.staging import Staging, StagingConfig
from argosy.store import Activity, Created, Event, NewActivity, Query, Store, Sweep

from .accounts import AccountMover, AccountSessions, Seats
from .administering import AdministrationOperations
from .administration import Administration
from .admission import Admission, Drained
from .caller import Caller
from .changing import Changes
from .commands import PATIENCE, limited_command, read_outcome
from .contract import EVERYBODY, ChangeRequest, CommandOutcome, CreateRequest, FileInfo, OpenFile, ResourceShare
from .credentials import CredentialOperations
from .delegated import Delegated
from .delegated import check as check_credentials
from .engine import Engine
from .environments import with_shares
from .files_asked import check_files
from .housekeeping import Housekeeping
from .ids import new_id
from .information.about import About, default_authority
from .information.inquiry import Inquiry
from .information.operations import InformationOperations
from .lifecycle import (
    Begun,
    Decision,
    Matched,
    TerminateAsked,
    decide,
    needs_of,
    tell,
    wait,
)
from .limits import Limits
from .matching import Requirements, Verdict, Waiting, Who
from .moving import Transfer
from .notifications import NotificationConfig, Sender
from .notifications.operations import NotificationOperations, of_description
from .offering import Offering
from .performer import Performer
from .policy import ServicePolicy
from .quotas import Quotas
from .reaching import demand as _reach
from .requests import job_request
from .resources import Resource, find_resource
from .restart import RestartAsked, why_not
from .routing import Router, WaitingRoom
from .session_files import SessionFiles
from .sessions import Sessions
from .staging_events import WAITING, CredentialRenewed, Noticed
from .streams import Streams
from .sweeps.operations import SweepService
from .sweeps.runner import Maker, SweepRunner
from .transfers import FindCredentials, Transfers
from .usage import Usage
from .wishes import Wished

log = logging.getLogger(__name__)

#: How many descriptions of a vector are looked at in one go.
_AT_A_TIME = 50


_Prepared = tuple[int, NewActivity, ActivityDescription, Decision]


class ExecutionService(
    NotificationOperations,
    Usage,
    CredentialOperations,
    InformationOperations,
    SweepService,
    AdministrationOperations,
):
    """The operations over one store, one root of session directories and some resources."""

    def __init__(
        self,
        store: Store,
        sessions_root: str,
        resources: dict[str, Resource],
        policy: ServicePolicy | None = None,
        fault: Callable[[str], None] = lambda point: None,
        *,
        limits: Limits | None = None,
        alone: bool = False,
        outbound: OutboundPolicy | None = None,
        notifying: NotificationConfig | None = None,
        source: str = "urn:argosy",
        about: About | None = None,
        environments: Sequence[RuntimeEnvironment] = (),
        keeper: Keeper | None = None,
        staging: Staging | None = None,
        credentials: FindCredentials | None = None,
        seats: Seats | None = None,
    ) -> None:
        """`alone`: no other process uses the store, so whoever had activities in hand before is dead. `source` names
        this service in what it tells others.

        `staging` moves files from and to URLs, and is closed with the service; `credentials` finds with what: without
        it, with what `keeper` has. That has the users' credentials; without one they last as long as this service. With
        `seats` everything is done as the local account of whoever asks for it; the drivers are AccountDrivers then.
        """
        if not resources:
            raise ValueError("a service needs at least one resource")
        self._store = store
        self._resources = resources
        self._policy = policy or ServicePolicy()
        self._fault = fault
        self.keeper = keeper or Keeper(store, Vault([os.urandom(32)]))
        self._seats = seats
        self._accounts = None if seats is None else seats.config.accounts
        self._sessions = (
            Sessions(sessions_root, fault) if seats is None else AccountSessions(sessions_root, fault, seats)
        )
        self._router = Router(resources, environments)
        self._staging = staging or Staging(
            StagingConfig(cache_size=0), outbound or OutboundPolicy(), os.path.join(sessions_root, ".staging"), fault
        )
        quotas = Quotas(
            store, self._sessions, self._policy, lambda of, words: self._engine.post(of, Noticed("quota", words))
        )
        find = credentials or Delegated(self.keeper)
        mover = self._staging if seats is None else AccountMover(self._staging, seats)
        transfers = Transfers(store, self._sessions, mover, find, quotas, fault)
        self._performer = Performer(store, self._sessions, resources, self._policy, transfers, fault, self._router)
        self._engine = Engine(
            store,
            self._policy,
            self._performer.perform,
            self._performer.settled,
            fault,
            self._performer.stages.dropped,
        )
        self._performer.engine = self._engine
        self._files = SessionFiles(store, self._sessions, self._engine, quotas, self._performer.perform)
        self._performer.offering = self._offering = Offering(self._sessions, self.keeper, store)
        self.keeper.on_renewed.append(lambda one: self.credentials_renewed(one.owner))
        self._waiting = WaitingRoom(self._router, self._engine, self._performer.description)
        self._performer.waiting = self._waiting
        self._streams = Streams(store)
        self._changes = Changes(store, resources, self._find, self._post)
        self._outbound = outbound or OutboundPolicy()
        self._notifying = notifying or NotificationConfig()
        self.sender = Sender(store, self._outbound, self._notifying, source, fault)
        self.about = about or About(authority=default_authority(sessions_root))
        self.inquiry = Inquiry(
            store,
            resources,
            self.about,
            environments,
            draining=lambda: self._admission.words,
            staging=self._staging.capabilities,
        )
        worker = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-8:]}"
        self._housekeeping = Housekeeping(
            store, self._engine, self._performer, self._sessions, resources, self._policy, worker, self._waiting, quotas
        )
        self._admission = Admission(store, limits or Limits())
        self._maker = Maker(
            self._look_at,
            self._prepare_for_sweep,
            self._admission.room,
            self._admission.done,
            self._make_sessions,
            self._account,
        )
        self._sweeps = SweepRunner(
            store, self._engine, self._maker, self._housekeeping.purge, self._policy, worker, fault
        )
        self._administration = Administration(store, self._engine, self._performer, resources, self._admission, worker)
        self.on_stop = lambda: None
        self._worker = worker
        self._alone = alone
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin: open the store, take up what was left unfinished, and keep house."""
        os.makedirs(self._sessions.root, mode=0o700, exist_ok=True)
        if isinstance(self._sessions, AccountSessions):
            self._sessions.start()
        await self._store.open()
        if self._alone:
            await self._store.retire_all()
        await self._admission.open()
        self._engine.start()
        self._streams.start()
        self._changes.start()
        await self.sender.start()
        self.keeper.start()
        self._offering.start()
        await self._housekeeping.start()
        await self._sweeps.start()

    async def close(self) -> None:
        """Stop. Jobs go on; the next service takes up everything where it was."""
        await self._administration.close()
        self._streams.stop()
        self._changes.stop()
        await self._sweeps.stop()
        await self.sender.stop()
        await self.keeper.stop()
        await self._offering.stop()
        await self._housekeeping.stop()
        for resource in self._resources.values():
            await resource.driver.close()
        await self._performer.stop()
        await self._staging.close()
        await self._engine.stop()
        if self._seats is not None:
            await self._seats.close()
        await self._store.retire(self._worker)
        await self._store.close()

    # -- GES 3.1 ----------------------------------------------------------------------------------

    async def create(self, caller: Caller, requests: Sequence[CreateRequest]) -> list[Created | ArgosyError]:
        _reach(caller, Operation.CREATE)
        self._check_vector(requests)
        answers: list[Created | ArgosyError | None] = []
        who = await self._who(caller)
        prepared: list[_Prepared] = []
        for index, request in enumerate(requests):
            try:
                await check_credentials(self.keeper, caller.name, request.description)
                new, description, decision = self._prepare(who, request)
            except ArgosyError as error:
                answers.append(error)
                continue
            answers.append(None)
            prepared.append((index, new, description, decision))
            if len(prepared) % _AT_A_TIME == 0:
                await asyncio.sleep(0)  # others have their turn
        prepared = await self._admitted(caller, prepared, answers)
        self._fault("create-before")
        try:
            results = await self._store.create([new for _, new, _, _ in prepared]) if prepared else []
        finally:
            self._admission.done(caller.name, len(prepared))
        self._fault("create-after")
        await self._make_sessions(
            [result.activity.session for result in results if isinstance(result, Created) and not result.existed]
        )
        for (index, _, description, decision), result in zip(prepared, results, strict=True):
            answers[index] = result
            if isinstance(result, Created) and not result.existed:
                self._begin(result.activity, description, decision, who)
        return [answer for answer in answers if answer is not None]

    async def _admitted(
        self, caller: Caller, prepared: list[_Prepared], answers: list[Created | ArgosyError | None]
    ) -> list[_Prepared]:
        """Those that are taken; the others are answered. Raises Drained where none is, for being drained."""
        refusals = await self._admission.admit(caller.name, [new for _, new, _, _ in prepared])
        drained = [refusal for refusal in refusals if isinstance(refusal, Drained)]
        if drained and len(drained) == len(answers):
            raise drained[0]
        for (index, _, _, _), refusal in zip(prepared, refusals, strict=True):
            answers[index] = refusal
        return [one for one, refusal in zip(prepared, refusals, strict=True) if refusal is None]

    async def _account(self, caller: Caller) -> str | None:
        """As which account everything is done for the caller. Raises NotAllowed where there is none here."""
        return None if self._accounts is None else await self._accounts.of(caller)

    async def _who(self, caller: Caller) -> Who:
        """On whose behalf the caller's activities are."""
        return Who(caller.name, tuple(sorted(caller.groups)), await self._account(caller))

    async def _make_sessions(self, sessions: Sequence[str]) -> None:
        """Make the session directories of activities that are recorded."""
        if not sessions:
            return
        try:
            await asyncio.to_thread(self._sessions.make, sessions)
        except (OSError, Unavailable) as error:
            # They are recorded: each stage makes its directory too, and says so where that cannot be done.
            log.error("session directories cannot be made now: %s", error)  # noqa: TRY400

    def _begin(self, activity: Activity, description: ActivityDescription, decision: Decision, who: Who) -> None:
        """Go on with an activity that is recorded as decided."""
        first = decision.instructions[0] if decision.instructions else None
        self._engine.created(activity, needs_of(description), description, first)
        if activity.state is ActivityState.PENDING and (live := self._engine.get(activity.id)):
            self._waiting.add(live, Requirements.of(description), who, activity.reason or "")

    def _prepare_for_sweep(
        self, sweep: Sweep, description: Description, parameters: Mapping[str, Value]
    ) -> tuple[NewActivity, Callable[[], None]]:
        who = Who(sweep.owner, sweep.groups, sweep.local_account)
        new, asked, decision = self._prepare(who, CreateRequest(description, sweep=sweep.id, parameters=parameters))
        return new, lambda: self._begin(new.activity, asked, decision, who)

    def _look_at(self, caller: Caller, description: Description) -> None:
        """Raise what creating it would raise."""
        self._prepare(Who(caller.name, tuple(sorted(caller.groups))), CreateRequest(description), looking=True)

    def _prepare(
        self, who: Who, request: CreateRequest, *, looking: bool = False
    ) -> tuple[NewActivity, ActivityDescription, Decision]:
        """Everything that can be wrong is found here, before anything is recorded."""
        description = native.to_model(request.description)
        check_files(description, self._staging)
        now = time.time()
        id = new_id()
        session = self._sessions.path(id, who.account)

        def check(verdict: Verdict) -> None:
            self._check_system(verdict, id, description, session)

        chosen = self._router.route(description, who, check)
        if description.held:
            chosen = Waiting("")  # it is looked at again when it is let go
        needs = description.spec.effective_resources
        activity = Activity(
            id=id,
            owner=who.name,
            state=ActivityState.PENDING,
            version=0,
            created=now,
            changed=now,
            name=description.spec.given_name or os.path.basename(request.description.executable),
            resource=None if isinstance(chosen, Waiting) else chosen.candidate.resource,
            queue=None if isinstance(chosen, Waiting) else chosen.queue,
            session=session,
            worker=self._worker,
            tags=dict(description.tags),
            groups=who.groups,
            local_account=who.account,
            environments=() if isinstance(chosen, Waiting) else chosen.environments,
            sweep=request.sweep,
            parameters=None if request.parameters is None else dict(request.parameters),
            cores=needs.computed_core_count,
            nodes=needs.computed_node_count,
            processes=needs.computed_process_count,
            account=description.spec.attributes.account,
        )
        decision = Decision(activity, [], [])
        decision.note("created", now, by=who.name)
        for words in request.notes:
            decision.note("note", now, words)
        activity = decision.activity
        if description.held:
            decision.move(ActivityState.HELD, now, "waiting for its owner to let it start", by=who.name)
        elif isinstance(chosen, Waiting):
            wait(decision, chosen.reason, now)
        else:
            candidate = chosen.candidate
            if not looking:
                self._router.give(chosen, description.spec.effective_resources.computed_core_count)
            tell(decision, Matched(candidate.resource, None, candidate.name, chosen.environments, chosen.left_out), now)
            activity = decision.activity
            began = decide(activity, Begun(), needs_of(description), now, self._policy.retention)
            decision = Decision(began.activity, decision.events + began.events, began.instructions)
        encoded = native.encode(request.description)
        subscriptions = of_description(description.notify, who.name, id, now, self._outbound, self._notifying)
        new = NewActivity(
            decision.activity,
            native.encode(native.without_secrets(request.description)),
            tuple(decision.events),
            key=request.key,
            digest=hashlib.sha256(encoded).digest(),
            key_expires=now + self._policy.key_lifetime,
            subscriptions=subscriptions,
        )
        return new, description, decision

    def _check_system(self, verdict: Verdict, id: str, description: ActivityDescription, session: str) -> None:
        """Raise InvalidInput, in the description's own terms, for what the batch system can never be asked."""
        resource = self._resources[verdict.candidate.resource]
        environments = self._router.named(verdict.environments)
        try:
            resource.driver.check(job_request(id, description, session, verdict.queue, environments))
        except InvalidInput as error:
            raise native.in_its_terms(error) from None

    async def start(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        async def one(activity: Activity) -> Activity:
            if activity.state is not ActivityState.HELD:
                raise InvalidStateException(f"it is {activity.state}; only a held activity can be started")
            return await self._post(activity, Begun(caller.name))

        return await self._each(caller, Operation.START, ids, one)

    async def change(
        self, caller: Caller, requests: Sequence[ChangeRequest], *, wait: float = 10.0
    ) -> list[Activity | ArgosyError]:
        self._check_vector(requests)
        others = {Action.START: self.start, Action.TERMINATE: self.terminate, Action.RESTART: self.restart}
        return await self._changes.change(caller, requests, wait, others)

    async def terminate(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        async def one(activity: Activity) -> Activity:
            if activity.state.final:
                return activity
            return await self._post(activity, TerminateAsked(caller.name))

        return await self._each(caller, Operation.TERMINATE, ids, one)

    async def restart(self, caller: Caller, ids: Sequence[str], *, over: bool = False) -> list[Activity | ArgosyError]:
        async def one(activity: Activity) -> Activity:
            if (words := why_not(activity, over=over)) is not None:
                raise InvalidStateException(words)
            needs = await self._housekeeping.needs(activity.id)
            return await self._engine.restarted(activity, needs, RestartAsked(caller.name, self._worker, over))

        return await self._each(caller, Operation.RESTART, ids, one)

    async def purge(self, caller: Caller, ids: Sequence[str], *, terminate: bool = False) -> list[ArgosyError | None]:
        if terminate:
            # Only what may be purged is ended: nobody's job ends for a purge that is refused.
            purgeable = [one.id for one in await self._find(caller, Operation.PURGE, ids) if isinstance(one, Activity)]
            asked = await self.terminate(caller, purgeable)
            # Not those that could not be asked: their end would be waited for in vain.
            ending: dict[str, list[str]] = {}
            for one in asked:
                if isinstance(one, Activity):
                    ending.setdefault(one.owner, []).append(one.id)
            for owner, theirs in ending.items():
                await self._streams.until_final(owner, theirs)
        answers: list[ArgosyError | None] = []
        gone: list[Activity] = []
        for found in await self._find(caller, Operation.PURGE, ids):
            if isinstance(found, ArgosyError):
                answers.append(found)
            elif not found.state.final:
                answers.append(
                    InvalidStateException(f"it is {found.state}; terminate it first, or ask for that with the purge")
                )
            else:
                answers.append(None)
                gone.append(found)
        try:
            await self._housekeeping.purge(gone)
        except Conflict:
            # One of them was restarted meanwhile: each for itself.
            refused = {one.id: error for one in gone if (error := await self._purge_one(one)) is not None}
            answers = [answer or refused.get(id) for id, answer in zip(ids, answers, strict=True)]
        return answers

    async def _purge_one(self, activity: Activity) -> Conflict | None:
        try:
            await self._housekeeping.purge([activity])
        except Conflict as error:
            return error
        return None

    async def _post(self, activity: Activity, happened: Begun | TerminateAsked | Wished) -> Activity:
        future = self._engine.posted(activity.id, happened)
        if future is not None:
            return await future
        now = (await self._store.get([activity.id])).get(activity.id)
        if now is None:
            raise _no_such(activity.id)
        if now.state.final:
            return now
        raise Unavailable("another worker has this activity in hand; ask again in a moment")

    async def _each(
        self,
        caller: Caller,
        operation: Operation,
        ids: Sequence[str],
        one: Callable[[Activity], asyncio.Future[Activity] | object],
    ) -> list[Activity | ArgosyError]:
        async def answer(found: Activity | ArgosyError) -> Activity | ArgosyError:
            if isinstance(found, ArgosyError):
                return found
            try:
                return await one(found)  # type: ignore[misc,no-any-return]
            except ArgosyError as error:
                return error

        return list(await asyncio.gather(*(answer(found) for found in await self._find(caller, operation, ids))))

    # -- GES 3.2 ----------------------------------------------------------------------------------

    async def status(self, caller: Caller, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        return await self._find(caller, Operation.STATUS, ids)

    async def _find(self, caller: Caller, operation: Operation, ids: Sequence[str]) -> list[Activity | ArgosyError]:
        """What the operation may concern among these; the rest answers alike, be it somebody else's or nothing.

        Raises NotAllowed, before it looks for anything, where the caller may not do this at all.
        """
        all_of_them = _reach(caller, operation) is Reach.ANY
        self._check_vector(ids)
        live = {id: held.record for id in ids if (held := self._engine.get(id)) is not None}
        stored = [id for id in ids if id not in live]
        known = {**live, **(await self._store.get(stored) if stored else {})}
        answers: list[Activity | ArgosyError] = []
        for id in ids:
            activity = known.get(id)
            theirs = activity is not None and (all_of_them or activity.owner == caller.name)
            answers.append(activity if activity is not None and theirs else _no_such(id))
        return answers

    async def _one(self, caller: Caller, operation: Operation, id: str) -> Activity:
        (found,) = await self._find(caller, operation, [id])
        if isinstance(found, ArgosyError):
            raise found
        return found

    async def description(self, caller: Caller, id: str) -> Description:
        await self._one(caller, Operation.DESCRIPTION, id)
        data = await self._store.description(id)
        if data is None:
            raise _no_such(id)
        return msgspec.json.decode(data, type=Description)

    async def page(self, caller: Caller, query: Query) -> tuple[list[Activity], str | None]:
        owner = query.owner or caller.name
        if _reach(caller, Operation.PAGE) is Reach.ANY:
            return await self._store.page(replace(query, owner=None if owner == EVERYBODY else owner))
        if owner not in (caller.name, EVERYBODY):
            return [], None  # what is somebody else's is as if it were not there
        return await self._store.page(replace(query, owner=caller.name))

    async def events(self, caller: Caller, id: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        await self._one(caller, Operation.EVENTS, id)
        return await self._store.events(id, after=after, limit=limit)

    async def stream(
        self, caller: Caller, ids: Sequence[str] = (), *, after: int | None = None
    ) -> AsyncIterator[Sequence[Event]]:
        _reach(caller, Operation.STREAM)
        for id in ids:
            await self._one(caller, Operation.STREAM, id)
        async for events in self._streams.follow(caller.name, ids, after):
            yield events

    async def run_command(
        self, caller: Caller, resource: str, command: str, *, directory: str | None = None, limit: float = 10.0
    ) -> CommandOutcome:
        _reach(caller, Operation.RUN_COMMAND)
        asked = limited_command(command, directory, limit)
        found = find_resource(self._resources, resource)
        found.check_allowed(caller.name, caller.groups)
        account = await self._account(caller)
        return read_outcome(await found.driver.run(asked, timeout=limit + PATIENCE, account=account))

    async def transfers(self, caller: Caller, id: str) -> list[Transfer]:
        await self._one(caller, Operation.TRANSFERS, id)
        return self._performer.stages.transfers(id)

    def credentials_renewed(self, owner: str) -> None:
        """The owner has other credentials now: what waits for them goes on."""
        for live in self._engine.lives():
            # Whether it waits is decided when all that was posted before has been.
            if live.record.owner == owner and live.record.state in WAITING:
                self._engine.post(live.record.id, CredentialRenewed())

    # -- GES 3.4 ----------------------------------------------------------------------------------

    async def shares(self, caller: Caller) -> list[ResourceShare]:
        _reach(caller, Operation.SHARES)
        return [
            ResourceShare(resource.name, resource.driver.name, share)
            for resource in self._resources.values()
            for share in resource.shares
        ]

    async def environments(self, caller: Caller) -> list[RuntimeEnvironment]:
        _reach(caller, Operation.ENVIRONMENTS)
        shares = [(one.resource, one.share.name if one.share else "") for one in self._router.candidates()]
        return [with_shares(one, shares) for one in self._router.environments]

    # -- GES 3.5 ----------------------------------------------------------------------------------

    async def list_files(
        self, caller: Caller, id: str, path: str, *, after: str | None = None, limit: int = 1000
    ) -> tuple[list[FileInfo], str | None]:
        activity = await self._one(caller, Operation.LIST_FILES, id)
        return await asyncio.to_thread(self._sessions.entries, activity.session, path, after, limit)

    async def open_file(self, caller: Caller, id: str, path: str) -> FileInfo | OpenFile:
        activity = await self._one(caller, Operation.OPEN_FILE, id)
        return await asyncio.to_thread(self._sessions.open, activity.session, path)

    async def put_file(
        self, caller: Caller, id: str, path: str, content: AsyncIterator[bytes], *, executable: bool = False
    ) -> FileInfo:
        activity = await self._one(caller, Operation.PUT_FILE, id)
        return await self._files.put(activity, path, content, executable=executable)

    async def delete_file(self, caller: Caller, id: str, path: str) -> None:
        await self._files.delete(await self._one(caller, Operation.DELETE_FILE, id), path)

    def _check_vector(self, items: Sequence[object]) -> None:
        if len(items) > self.limits.vector:
            raise LimitExceeded(f"{len(items)} elements in one request; the most are {self.limits.vector}")


def _no_such(id: str) -> NotFound:
    return NotFound(f"there is no activity {id!r}")
