"""The execution service: records what is asked for, and answers for it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence

from argosy.delegation import Keeper, Vault
from argosy.executors.tasks import tell
from argosy.model import RuntimeEnvironment
from argosy.outbound import OutboundPolicy
from argosy.staging import Staging, StagingConfig
from argosy.store import Store

from .accounts import AccountMover, AccountSessions, Seats
from .activities.changing import Changes
from .activities.creation import Creation
from .activities.drafting import Drafting
from .activities.operations import ActivityOperations
from .activities.session_files import SessionFiles
from .activities.streams import Streams
from .administration.administration import Administration
from .administration.admission import Admission
from .administration.limits import Limits
from .administration.operations import AdministrationOperations
from .caller import Caller
from .credentials.delegated import Delegated
from .credentials.offering import Offering
from .credentials.operations import CredentialOperations
from .engine.engine import Engine
from .engine.housekeeping import Housekeeping
from .engine.performer import Performer
from .engine.waiting import WaitingRoom
from .files.quotas import Quotas
from .files.sessions import Sessions
from .files.transfers import FindCredentials, Transfers
from .ids import new_id
from .information.about import About, default_authority
from .information.inquiry import Inquiry
from .information.operations import InformationOperations
from .lifecycle.staging_events import WAITING, CredentialRenewed, Noticed
from .matching.operations import ResourceOperations
from .matching.resources import Resource
from .matching.routing import Router
from .notifications import NotificationConfig, Sender
from .notifications.operations import NotificationOperations
from .owners.kept import Kept
from .owners.logins import Logins
from .policy import ServicePolicy
from .sweeps.operations import SweepService
from .sweeps.runner import SweepRunner
from .usage import Usage


class ExecutionService(
    ActivityOperations,
    ResourceOperations,
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
        logins: Logins | None = None,
    ) -> None:
        """`alone`: no other process uses the store, so whoever had activities in hand before is dead. `source` names
        this service in what it tells others.

        `staging` moves files from and to URLs, and is closed with the service; `credentials` finds with what: without
        it, with what `keeper` has. That has the users' credentials; without one they last as long as this service. With
        `seats` everything is done as the local account of whoever asks for it; the drivers are AccountDrivers then.
        `logins` has the proxies with which hosts are logged in to that take their users' own.
        """
        if not resources:
            raise ValueError("a service needs at least one resource")
        self._store = store
        self._resources = resources
        self._policy = policy or ServicePolicy()
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
        for told in (self.keeper.on_renewed, self.keeper.on_added):
            told.append(lambda one: self.credentials_renewed(one.owner))
        self.kept = Kept(self.keeper, self._names, wanted=any(one.by_owner for one in resources.values()))
        if logins is not None:
            logins.on_missing = self._login_missing
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
        drafting = Drafting(
            resources,
            self._router,
            self._sessions,
            self._staging,
            self._policy,
            self._outbound,
            self._notifying,
            worker,
        )
        self._creation = Creation(
            store,
            drafting,
            self._admission,
            self._engine,
            self._waiting,
            self.keeper,
            self._account,
            self.kept,
            fault,
        )
        self._maker = self._creation.maker
        self._sweeps = SweepRunner(
            store, self._engine, self._maker, self._housekeeping.purge, self._policy, worker, fault
        )
        self._admission.on_open.append(self._sweeps.room_again)
        self._administration = Administration(store, self._engine, self._performer, resources, self._admission, worker)
        self.on_stop = lambda: None
        self._worker = worker
        self._alone = alone

    async def open(self) -> None:
        """Begin: open the store, take up what was left unfinished, and keep house."""
        self._sessions.start()
        await self._store.open()
        if self._alone:
            await self._store.retire_all()
        await self._admission.open()
        self._engine.start()
        await self._streams.start()
        self._changes.start()
        await self.sender.start()
        self._offering.start()
        await self._housekeeping.start()
        await self._sweeps.start()
        # What came with requests is kept for those that need it: they are to be known first.
        self.keeper.start()

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
        # Side by side: each may wait some seconds for what is under way.
        await asyncio.gather(*(_close(resource) for resource in self._resources.values()))
        await self._performer.stop()
        await self._staging.close()
        await self._engine.stop()
        if self._seats is not None:
            await self._seats.close()
        await self._store.retire(self._worker)
        await self._store.close()

    async def _account(self, caller: Caller) -> str | None:
        """As which account everything is done for the caller. Raises NotAllowed where there is none here."""
        return None if self._accounts is None else await self._accounts.of(caller)

    def _names(self, credential: str) -> bool:
        """Whether an activity or a sweep that has not ended names a credential."""
        if self._sweeps.names(credential):
            return True
        return any(credential in live.record.credentials for live in self._engine.lives())

    def _login_missing(self, resource: str, text: str, words: str) -> None:
        """A host cannot be logged in to for somebody: those who wait for news of their jobs there are told."""
        there = self._resources[resource]
        for live in self._engine.lives():
            record = live.record
            if record.resource == resource and record.state.in_lrms and there.whose(record) == text:
                self._engine.post(record.id, Noticed("credential-wanted", words))

    def credentials_renewed(self, owner: str) -> None:
        """The owner has other credentials now: what waits for them goes on."""
        for resource in self._resources.values():
            resource.driver.wake()
        for live in self._engine.lives():
            # Whether it waits is decided when all that was posted before has been.
            if live.record.owner == owner and live.record.state in WAITING:
                self._engine.post(live.record.id, CredentialRenewed())


async def _close(resource: Resource) -> None:
    try:
        await resource.driver.close()
    except Exception as error:
        tell(f"closing {resource.name} failed", error)
