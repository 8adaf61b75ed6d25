"""What goes on beside requests: staying alive, taking up what is lying, and putting away what is over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec

from argosy.executors.contract import Handle
from argosy.executors.tasks import Tasks, at_intervals, over_and_over
from argosy.languages.native import Description
from argosy.model import ActivityState, ArgosyError, Unavailable, clock
from argosy.service.files.quotas import Quotas
from argosy.service.files.sessions import Sessions
from argosy.service.lifecycle import Needs, TooLate, needs_of
from argosy.service.lifecycle.staging_events import CREDENTIAL
from argosy.service.matching.resources import Resource
from argosy.service.policy import ServicePolicy
from argosy.store import Activity, Chore, Store
from argosy.store.records import WITHDRAWN

from .engine import Engine
from .performer import Performer
from .requests import account_of
from .waiting import WaitingRoom

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
        waiting: WaitingRoom,
        quotas: Quotas,
    ) -> None:
        self._quotas = quotas
        self._waiting = waiting
        self._store = store
        self._engine = engine
        self._performer = performer
        self._sessions = sessions
        self._resources = resources
        self._policy = policy
        self._worker = worker
        self._tasks = Tasks("keeping house")
        self._chores_wanted = asyncio.Event()
        self._missed: set[str] = set()

    async def start(self) -> None:
        """Take up everything that no living worker has, and begin the rounds."""
        await self._beat()
        opening = [self._tasks.start(self._open(resource)) for resource in self._resources.values()]
        # A resource that does not answer now is opened as soon as it does; its activities say so meanwhile.
        await asyncio.wait(opening, timeout=_OPENING)
        await self._take()
        await self._waiting.look()  # it counts what is there, too
        rounds: list[tuple[str, Callable[[], Awaitable[None]], float]] = [
            ("staying alive", self._beat, self._policy.worker_ttl / 3),
            ("taking up work", self._take, self._policy.housekeeping),
            ("looking for what was overlooked", self._overlooked, self._policy.housekeeping),
            ("purging what has expired", self._expire, self._policy.housekeeping),
            ("looking for what came too late", self._late, self._policy.housekeeping),
            ("looking at the queues", self._refresh, self._policy.shares_refresh),
            *([("looking at quotas", self._quotas.look, self._policy.quota_look)] if self._quotas.set else []),
            ("looking where activities can go", self._match, self._policy.match_again),
        ]
        for what, work, every in rounds:
            self._tasks.start(at_intervals(work, what, every))
        chores = over_and_over(self._chores, "putting away what is over", again=self._policy.housekeeping)
        self._tasks.start(chores)

    async def stop(self) -> None:
        """Stop the rounds."""
        await self._tasks.stop()

    async def _open(self, resource: Resource) -> None:
        """Open a driver, however often it takes: one resource that is away must not keep the others."""
        wait = self._policy.retry_first
        while True:
            try:
                await resource.driver.open(self._performer.on_reports)
                resource.opened = True
                break
            except ArgosyError as error:
                resource.closed(error.message)
                log.warning("%s cannot be used now: %s", resource.name, error)
                resource.failed("opening it", error.message)
            except Exception as error:
                resource.closed(f"internal error: {error!r}")
                log.exception("a defect: %s cannot be used now", resource.name)
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._policy.retry_most)
        await resource.refresh()
        await self._waiting.look()

    async def _beat(self) -> None:
        await self._store.beat(self._worker, clock.now() + self._policy.worker_ttl)

    async def _take(self) -> None:
        # First of all: after a long sleep of the machine this worker's own would look like a dead one's.
        await self._beat()
        while taken := await self._store.take(self._worker, clock.now(), _TAKE):
            needs = await asyncio.gather(*(self.needs(activity.id) for activity in taken))
            for activity, need in zip(taken, needs, strict=True):
                self._engine.adopt(activity, need)
            if len(taken) < _TAKE:
                break

    async def _overlooked(self) -> None:
        """Take up what is recorded as this worker's and what it does not have: recorded, say, by a request of which
        another part failed. What is seen so for the first time may be on its way."""
        found = {id for id in await self._store.in_hand(self._worker) if self._engine.get(id) is None}
        for id, activity in (await self._store.get(sorted(found & self._missed))).items():
            need = await self.needs(id)
            if activity.worker == self._worker and not activity.state.final and self._engine.get(id) is None:
                log.warning("activity %s was overlooked, and is taken up now", id)
                self._engine.adopt(activity, need)
        self._missed = found

    async def needs(self, id: str) -> Needs:
        """What the description of an activity asks of the stages around its job."""
        try:
            data = await self._store.description(id)
            if data is None:
                return Needs(inputs=False, outputs=False)
            description = msgspec.json.decode(data, type=Description)
        except (msgspec.DecodeError, ArgosyError) as error:
            # One that cannot be read must not keep the others: what it needs is looked at again in each stage.
            log.error("the description of %s cannot be read: %s", id, error)  # noqa: TRY400
            return Needs(inputs=True, outputs=True)
        return needs_of(description)

    async def _late(self) -> None:
        limit = clock.now() - self._policy.input_wait
        for live in self._engine.lives():
            record = live.record
            if record.changed >= limit:
                continue
            if record.waiting_for == CREDENTIAL:
                words = f"{record.reason}; no other credential came within {self._policy.input_wait:g} s"
                self._engine.post(record.id, TooLate(words))
            elif record.state is ActivityState.STAGING_IN:
                words = f"its input files did not arrive within {self._policy.input_wait:g} s"
                self._engine.post(record.id, TooLate(words))

    async def _refresh(self) -> None:
        await asyncio.gather(*(resource.refresh() for resource in self._resources.values() if resource.opened))
        await self._waiting.look()

    async def _match(self) -> None:
        """While something waits, the queues are looked at more often."""
        if not self._waiting.empty:
            await self._refresh()

    # -- putting away -----------------------------------------------------------------------------

    async def _expire(self) -> None:
        while ids := await self._store.expired(clock.now(), _PURGE):
            # One that was restarted meanwhile has not expired any more, and makes this fail until the next round.
            await self.purge(list((await self._store.get(ids)).values()))
        if self._policy.usage_retention > 0:
            await self._store.trim_usage(clock.now() - self._policy.usage_retention)

    async def purge(self, activities: Sequence[Activity]) -> None:
        """Remove final activities; what they have on disk is removed by chores, however often that takes.

        Raises Conflict where one of them was restarted meanwhile, and removes none.
        """
        if not activities:
            return
        chores: list[tuple[str, dict[str, object]]] = [
            ("remove-session", {"path": activity.session}) for activity in activities
        ]
        chores += [
            self._forgetting(activity, activity.tag_of(submission), native_id)
            for activity in activities
            for submission, native_id in enumerate(_jobs(activity))
            if native_id is not None
        ]
        await self._store.purge([activity.id for activity in activities], chores)
        for activity in activities:
            self._quotas.changed(activity)
        self._chores_wanted.set()

    def _forgetting(self, activity: Activity, tag: str, native_id: str) -> tuple[str, dict[str, object]]:
        account = account_of(activity, self._resources.get(activity.resource or ""))
        payload: dict[str, object] = {
            "resource": activity.resource,
            "tag": tag,
            "native_id": native_id,
            "account": account,
        }
        if native_id == WITHDRAWN:
            # Not at once: a copy that is on its way to a batch system is to find the claim taken.
            payload["not_before"] = clock.now() + self._policy.give_up_after
        return "forget", payload

    async def _chores(self) -> None:
        self._chores_wanted.clear()
        while chores := await self._store.chores(clock.now(), _CHORES):
            await self._do(chores)
        # Not wait_for: in Python 3.11 it forgets a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.housekeeping):
                await self._chores_wanted.wait()

    async def _do(self, chores: Sequence[Chore]) -> None:
        """Do chores; what is to be forgotten in one resource goes there in one request."""
        alike: dict[tuple[str, str, str | None], list[Chore]] = {}
        for chore in chores:
            payload = chore.payload
            account = self._sessions.account_of(str(payload["path"])) if "path" in payload else payload.get("account")
            alike.setdefault((chore.kind, str(payload.get("resource")), account), []).append(chore)
        # Each account's by themselves: one whose agent does not answer must not keep the others.
        await asyncio.gather(*(self._do_alike(kind, resource, some) for (kind, resource, _), some in alike.items()))

    async def _do_alike(self, kind: str, resource: str, some: Sequence[Chore]) -> None:
        if kind == "forget":
            early = [chore for chore in some if chore.payload.get("not_before", 0.0) > clock.now()]
            for chore in early:
                await self._store.chore_later(chore.id, chore.payload["not_before"])
            if due := [chore for chore in some if chore not in early]:
                await self._chore(due, self._forget(resource, due))
        elif kind == "remove-session":
            for place, chore in enumerate(some):
                work = asyncio.to_thread(self._sessions.remove, str(chore.payload["path"]))
                if isinstance(await self._chore([chore], work), Unavailable):
                    # The agent, or the disk, is away: it would be for the next one too.
                    for later in some[place + 1 :]:
                        await self._later(later)
                    return
        else:
            log.error("%d chores of the unknown kind %r are left lying", len(some), kind)
            for chore in some:
                await self._store.chore_later(chore.id, clock.now() + _CHORE_MOST)

    async def _forget(self, name: str, chores: Sequence[Chore]) -> None:
        resource = self._resources.get(name)
        if resource is not None:
            await resource.driver.forget(
                [
                    Handle(
                        str(chore.payload["tag"]), str(chore.payload["native_id"]), account=chore.payload.get("account")
                    )
                    for chore in chores
                ]
            )

    async def _later(self, chore: Chore) -> None:
        wait = min(self._policy.retry_first * 2 ** min(chore.attempts, 20), _CHORE_MOST)
        await self._store.chore_later(chore.id, clock.now() + wait)

    async def _chore(self, chores: Sequence[Chore], work: Coroutine[Any, Any, None]) -> Exception | None:
        """Do it, or have it tried again later; what it failed with."""
        try:
            await work
        except Exception as error:
            # Whatever it was: those that come after must not wait behind it.
            for chore in chores:
                await self._later(chore)
            expected = isinstance(error, (ArgosyError, OSError, ValueError))
            log.log(
                logging.WARNING if expected else logging.ERROR,
                "%s did not work for %d activities and is tried again: %s",
                chores[0].kind,
                len(chores),
                error,
                exc_info=not expected,
            )
            return error
        await self._store.chore_done([chore.id for chore in chores])
        return None


def _jobs(activity: Activity) -> tuple[str | None, ...]:
    """The native id of the job of each of its submissions; None for one that never was one."""
    last = activity.native_id
    if last is None and activity.intended is not None and activity.state is ActivityState.TERMINATED:
        last = WITHDRAWN
    return (*activity.earlier, last)
