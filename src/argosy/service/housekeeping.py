"""What goes on beside requests: staying alive, taking up what is lying, and putting away what is over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from argosy.executors.contract import Handle
from argosy.languages.native import Description
from argosy.model import ActivityState, ArgosyError
from argosy.store import Activity, Store

from .engine import Engine
from .lifecycle import Needs, TooLate
from .performer import Performer
from .policy import ServicePolicy
from .resources import Resource
from .sessions import Sessions

log = logging.getLogger(__name__)

_TAKE = 1000
#: How long the service waits at its start for its resources to answer.
_OPENING = 3.0
_PURGE = 200
_CHORES = 100
#: The longest wait between two tries of a chore.
_CHORE_MOST = 3600.0


class Housekeeping:
    """The regular work of one worker."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        performer: Performer,
        sessions: Sessions,
        resources: dict[str, Resource],
        policy: ServicePolicy,
        worker: str,
    ) -> None:
        self._store = store
        self._engine = engine
        self._performer = performer
        self._sessions = sessions
        self._resources = resources
        self._policy = policy
        self._worker = worker
        self._tasks: list[asyncio.Task[None]] = []
        self._chores_wanted = asyncio.Event()

    async def start(self) -> None:
        """Take up everything that no living worker has, and begin the rounds."""
        await self._beat()
        opening = [asyncio.create_task(self._open(resource)) for resource in self._resources.values()]
        self._tasks += opening
        # A resource that does not answer now is opened as soon as it does; its activities say so meanwhile.
        await asyncio.wait(opening, timeout=_OPENING)
        await self._take()
        rounds: list[tuple[str, Callable[[], Awaitable[None]], float]] = [
            ("staying alive", self._beat, self._policy.worker_ttl / 3),
            ("taking up work", self._take, self._policy.housekeeping),
            ("purging what has expired", self._expire, self._policy.housekeeping),
            ("looking for what came too late", self._late, self._policy.housekeeping),
            ("looking at the queues", self._refresh, self._policy.shares_refresh),
        ]
        self._tasks += [asyncio.create_task(self._round(what, work, every)) for what, work, every in rounds]
        self._tasks.append(asyncio.create_task(self._chores()))

    async def stop(self) -> None:
        """Stop the rounds."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self, resource: Resource) -> None:
        """Open a driver, however often it takes: one resource that is away must not keep the others."""
        wait = self._policy.retry_first
        while True:
            try:
                await resource.driver.open(self._performer.on_reports)
                resource.opened = True
                break
            except ArgosyError as error:
                log.warning("%s cannot be used now: %s", resource.name, error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._policy.retry_most)
        await resource.refresh()

    async def _round(self, what: str, work: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await work()
            except Exception:
                log.exception("%s failed; it is tried again in %g s", what, every)

    async def _beat(self) -> None:
        await self._store.beat(self._worker, time.time() + self._policy.worker_ttl)

    async def _take(self) -> None:
        while taken := await self._store.take(self._worker, time.time(), _TAKE):
            for activity in taken:
                self._engine.adopt(activity, await self._needs(activity.id))
            if len(taken) < _TAKE:
                break

    async def _needs(self, id: str) -> Needs:
        data = await self._store.description(id)
        if data is None:
            return Needs(inputs=False, outputs=False)
        description = msgspec.json.decode(data, type=Description)
        return Needs(inputs=bool(description.inputs), outputs=any(not file.optional for file in description.outputs))

    async def _late(self) -> None:
        limit = time.time() - self._policy.input_wait
        for live in self._engine.lives():
            if live.record.state is ActivityState.STAGING_IN and live.record.changed < limit:
                self._engine.post(
                    live.record.id,
                    TooLate(f"its input files did not arrive within {self._policy.input_wait:g} s"),
                )

    async def _refresh(self) -> None:
        await asyncio.gather(*(resource.refresh() for resource in self._resources.values()))

    # -- putting away -----------------------------------------------------------------------------

    async def _expire(self) -> None:
        while ids := await self._store.expired(time.time(), _PURGE):
            await self.purge(list((await self._store.get(ids)).values()))

    async def purge(self, activities: Sequence[Activity]) -> None:
        """Remove final activities; what they have on disk is removed by chores, however often that takes."""
        if not activities:
            return
        chores: list[tuple[str, dict[str, object]]] = [
            ("remove-session", {"path": activity.session}) for activity in activities
        ]
        chores += [
            ("forget", {"resource": activity.resource, "tag": activity.id, "native_id": activity.native_id})
            for activity in activities
            if activity.native_id is not None
        ]
        await self._store.purge([activity.id for activity in activities], chores)
        self._chores_wanted.set()

    async def _chores(self) -> None:
        while True:
            self._chores_wanted.clear()
            try:
                while chores := await self._store.chores(time.time(), _CHORES):
                    for chore in chores:
                        await self._chore(chore.id, chore.kind, chore.payload, chore.attempts)
            except Exception:
                log.exception("chores failed; they are tried again")
            try:
                await asyncio.wait_for(self._chores_wanted.wait(), self._policy.housekeeping)
            except TimeoutError:
                continue

    async def _chore(self, id: int, kind: str, payload: dict[str, object], attempts: int) -> None:
        try:
            if kind == "remove-session":
                await asyncio.to_thread(self._sessions.remove, str(payload["path"]))
            elif kind == "forget":
                resource = self._resources.get(str(payload["resource"]))
                if resource is not None:
                    await resource.driver.forget([Handle(str(payload["tag"]), str(payload["native_id"]))])
            else:
                log.error("a chore of the unknown kind %r is left lying", kind)
                await self._store.chore_later(id, time.time() + _CHORE_MOST)
                return
        except (ArgosyError, OSError, ValueError) as error:
            wait = min(self._policy.retry_first * 2 ** min(attempts, 20), _CHORE_MOST)
            log.warning("%s %s did not work and is tried again in %g s: %s", kind, payload, wait, error)
            await self._store.chore_later(id, time.time() + wait)
            return
        await self._store.chore_done([id])
