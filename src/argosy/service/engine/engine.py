"""The engine: takes what happened to activities, records what follows, and has it performed.

Each activity in this worker's hands has an inbox. What is in it is decided on by the pure `lifecycle`, the result is
recorded in one transaction, and only then are the instructions performed. While a change of an activity is being
recorded, what else happens to it waits, and is then decided on together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from argosy.model import ActivityDescription, Conflict, InvalidInput, Unavailable, clock
from argosy.model.texts import readable
from argosy.service.lifecycle import Begun, Decision, Happening, Instruction, Needs, decide, resume
from argosy.service.lifecycle.restart import RestartAsked
from argosy.service.lifecycle.wishes import pending
from argosy.service.policy import ServicePolicy
from argosy.store import Activity, Change, Damaged, Event, Store

log = logging.getLogger(__name__)

#: The most changes that are recorded in one call.
_BATCH = 1000
_AGAIN = 1.0


@dataclass(slots=True)
class Live:
    """An activity in this worker's hands. `record` is what is stored, and what is decided from; `told` what others have
    been told of already, for the moments in which it is ahead. `description` is kept until it is submitted."""

    record: Activity
    needs: Needs
    description: ActivityDescription | None = None
    told: Activity | None = None
    inbox: list[tuple[Happening, asyncio.Future[Activity] | None]] = field(default_factory=list)
    writing: bool = False
    tries: int = 0
    trying_since: float | None = None
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Draft:
    live: Live
    record: Activity
    events: list[Event]
    instructions: list[Instruction]
    waiting: list[asyncio.Future[Activity]]


Perform = Callable[[Instruction, Live], None]


class Engine:
    """All activities of one worker. Everything belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        policy: ServicePolicy,
        perform: Perform,
        settled: Callable[[Sequence[Activity]], Awaitable[None]],
        fault: Callable[[str], None],
        dropped: Callable[[Live], None] = lambda live: None,
    ) -> None:
        """`dropped` is told of an activity that this worker has in hand no more."""
        self._dropped = dropped
        self._store = store
        self._policy = policy
        self.perform = perform
        """Has an instruction performed."""
        self._settled = settled
        self._fault = fault
        self._lives: dict[str, Live] = {}
        self._drafts: list[_Draft] = []
        self._drafted = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._recording = 0
        self._settling: set[asyncio.Task[None]] = set()
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to record."""
        self._unsubscribe = self._store.subscribe(self._committed)
        self._writer = asyncio.create_task(self._write())

    async def stop(self) -> None:
        """Stop. What was not recorded is found out again by the next worker."""
        self._unsubscribe()
        for live in self._lives.values():
            if live.timer is not None:
                live.timer.cancel()
        tasks = [*self._settling, *([self._writer] if self._writer is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def get(self, id: str) -> Live | None:
        """An activity that this worker has."""
        return self._lives.get(id)

    def record(self, id: str) -> Activity | None:
        """How an activity is that this worker has: never older than what a stream or a listing has told of it."""
        live = self._lives.get(id)
        if live is None:
            return None
        return live.told if live.told is not None and live.told.version > live.record.version else live.record

    def backlog(self) -> tuple[int, int]:
        """How many happenings wait to be decided on, and how many changes to be recorded or are."""
        waiting = sum(len(live.inbox) for live in self._lives.values())
        return waiting, len(self._drafts) + self._recording

    def lives(self) -> Iterable[Live]:
        """All activities that this worker has."""
        return list(self._lives.values())

    def adopt(self, record: Activity, needs: Needs, description: ActivityDescription | None = None) -> Live:
        """Take an activity into hand, and go on with it from wherever it is."""
        live = Live(record, needs, description)
        self._lives[record.id] = live
        step = resume(record)
        if isinstance(step, Begun):
            self.post(record.id, step)
        elif step is not None:
            self.perform(step, live)
        if record.state.in_lrms and pending(record) is not None:
            self.perform(Instruction.CONTROL, live)
        return live

    def created(
        self, record: Activity, needs: Needs, description: ActivityDescription | None, first: Instruction | None
    ) -> None:
        """Take an activity into hand that was recorded just now, its first instruction decided with it. One that was
        taken up meanwhile, as overlooked, stays as it is."""
        if record.id in self._lives:
            return
        live = Live(record, needs, description)
        self._lives[record.id] = live
        if first is not None:
            self.perform(first, live)

    def post(self, id: str, happened: Happening) -> None:
        """Something happened to an activity. One that this worker does not have is left alone."""
        live = self._lives.get(id)
        if live is not None:
            live.inbox.append((happened, None))
            if not live.writing:
                self._decide(live)

    def posted(self, id: str, happened: Happening) -> asyncio.Future[Activity] | None:
        """As `post`, with a future of the record once what follows is recorded; None: not in this worker's hands."""
        live = self._lives.get(id)
        if live is None:
            return None
        future: asyncio.Future[Activity] = asyncio.get_running_loop().create_future()
        live.inbox.append((happened, future))
        if not live.writing:
            self._decide(live)
        return future

    def restarted(self, record: Activity, needs: Needs, asked: RestartAsked) -> asyncio.Future[Activity]:
        """Take a failed activity into hand again, because it is to go on. As `posted`, which it is where it does so
        already."""
        if record.id not in self._lives:
            self._lives[record.id] = Live(record, needs)
        future = self.posted(record.id, asked)
        assert future is not None
        return future

    def _decide(self, live: Live) -> None:
        draft = _Draft(live, live.record, [], [], [])
        now = clock.now()
        inbox, live.inbox = live.inbox, []
        for happened, future in inbox:
            try:
                decision = decide(draft.record, happened, live.needs, now, self._policy.retention)
            except Exception:
                # A defect concerns this happening of this activity alone; the others go on.
                log.exception("a defect: %r of activity %s is left aside", happened, live.record.id)
                decision = Decision(draft.record, [], [])
            draft.record = decision.activity
            draft.events += decision.events
            draft.instructions += decision.instructions
            if future is not None:
                draft.waiting.append(future)
        if draft.record == live.record and not draft.events:
            self._done(draft)
            if live.record.state.final:
                self._drop(live)
            return
        live.writing = True
        self._drafts.append(draft)
        self._drafted.set()

    def _done(self, draft: _Draft) -> None:
        for future in draft.waiting:
            if not future.done():
                future.set_result(draft.live.record)
        if not draft.live.record.state.final:
            for instruction in dict.fromkeys(draft.instructions):
                self.perform(instruction, draft.live)

    def _committed(self, events: Sequence[Event], records: Mapping[str, Activity]) -> None:
        """Some of what is being recorded is, and followers read it now; the rest may take more transactions."""
        for id, record in records.items():
            if (live := self._lives.get(id)) is not None:
                live.told = record

    async def _write(self) -> None:
        while True:
            await self._drafted.wait()
            drafts, self._drafts = self._drafts[:_BATCH], self._drafts[_BATCH:]
            if not self._drafts:
                self._drafted.clear()
            if drafts:
                self._recording = len(drafts)
                try:
                    await self._record(drafts)
                except Exception:
                    # What happens to others must go on being recorded, whatever it was.
                    log.exception("a defect in recording %d changes", len(drafts))
                self._recording = 0

    async def _record(self, drafts: list[_Draft]) -> None:
        changes = [Change(draft.record, tuple(draft.events)) for draft in drafts]
        results = await self._change(changes)
        for draft, result in zip(drafts, results, strict=True):
            try:
                self._recorded(draft, result)
            except Exception as error:
                # A defect concerns this one alone. It is taken up again, as something that was overlooked.
                log.exception("a defect: activity %s cannot be gone on with", draft.record.id)
                self._lost(draft, Conflict(f"it cannot be gone on with: {error!r}"))
        final = [result for result in results if isinstance(result, Activity) and result.state.final]
        if final:
            self._fault("final")
            # Beside the writing: a batch system that is slow to answer must not keep what happens to others.
            task = asyncio.create_task(self._settle(final))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    def _recorded(self, draft: _Draft, result: Activity | Conflict) -> None:
        live = draft.live
        live.writing = False
        if isinstance(result, Conflict):
            self._lost(draft, result)
            return
        if live.record.native_id is None and result.native_id is not None:
            self._fault("accepted")
        live.record, live.told = result, None
        if result.state.final and not live.inbox:  # otherwise by whoever decides on that: it may be a restart
            self._drop(live)
        self._done(draft)
        if live.inbox:
            self._decide(live)

    async def _settle(self, final: list[Activity]) -> None:
        try:
            await self._settled(final)
        except Exception:
            log.exception("a defect: the traces of %d ended activities stay until they are purged", len(final))

    def _drop(self, live: Live) -> None:
        """Have it in hand no more. It may have been taken up anew under the same id: that one stays."""
        if self._lives.get(live.record.id) is live:
            del self._lives[live.record.id]
        self._dropped(live)
        if live.timer is not None:
            live.timer.cancel()

    async def _change(self, changes: list[Change]) -> list[Activity | Conflict]:
        while True:
            try:
                return await self._store.change(changes)
            except Damaged as error:
                # It lasts until somebody repairs it: the others must not wait for that.
                log.error("of %d changes some cannot be recorded: %s", len(changes), error)  # noqa: TRY400
                return await self._apart(changes, error)
            except Unavailable as error:
                # A full disk, say: nothing is performed that is not recorded, and nothing is forgotten.
                log.error("%d changes cannot be recorded now, and are tried again: %s", len(changes), error)  # noqa: TRY400
                await asyncio.sleep(_AGAIN)
                now = await self._as_recorded([change.activity.id for change in changes])
                done = {
                    id: one for change in changes if (one := now.get(id := change.activity.id)) and _is(change, one)
                }
                if done:  # those would be refused now, as another's
                    rest = [change for change in changes if change.activity.id not in done]
                    others = iter(await self._change(rest) if rest else [])
                    return [done.get(change.activity.id) or next(others) for change in changes]
            except Exception as error:
                if isinstance(error, InvalidInput) and (plain := [_readable(one) for one in changes]) != changes:
                    changes = plain  # words that are no Unicode: what they tell of is told all the same
                    continue
                log.exception("a defect: a change cannot be recorded")
                return await self._apart(changes, error)

    async def _apart(self, changes: list[Change], error: Exception) -> list[Activity | Conflict]:
        """Each alone, which tells those that are to blame: the store has recorded the others of a vector."""
        if len(changes) == 1:
            return [Conflict(f"the change cannot be recorded: {error!r}")]
        now = await self._as_recorded([change.activity.id for change in changes])
        return [await self._alone(change, now.get(change.activity.id)) for change in changes]

    async def _as_recorded(self, ids: Sequence[str]) -> dict[str, Activity]:
        while True:
            try:
                return await self._store.get(ids)
            except Unavailable as error:
                log.error("%d activities cannot be read now, and are tried again: %s", len(ids), error)  # noqa: TRY400
                await asyncio.sleep(_AGAIN)
            except Exception:
                # Then each is recorded alone; one that was already is let go of, and taken up as it is.
                log.exception("a defect: activities cannot be read")
                return {}

    async def _alone(self, change: Change, now: Activity | None) -> Activity | Conflict:
        if now is not None and _is(change, now):
            return now
        (result,) = await self._change([change])
        return result

    def _lost(self, draft: _Draft, conflict: Conflict) -> None:
        """Another worker has taken the activity, this one having been silent for too long; or a defect shows."""
        log.warning("activity %s is let go of by this worker: %s", draft.record.id, conflict)
        self._drop(draft.live)
        waiting = draft.waiting + [future for _, future in draft.live.inbox if future is not None]
        for future in waiting:
            if not future.done():
                future.set_exception(conflict)

    # -- trying again -----------------------------------------------------------------------------

    def again(
        self, live: Live, instruction: Instruction, *, delay: float | None = None, within: float | None = None
    ) -> bool:
        """Perform an instruction again after a while, each time a longer one; False where that went on for too long,
        which is `within` seconds, or `ServicePolicy.give_up_after`."""
        now = clock.now()
        if live.trying_since is None:
            live.trying_since = now
        if now - live.trying_since > (self._policy.give_up_after if within is None else within):
            return False
        if delay is None:
            delay = min(self._policy.retry_first * 2 ** min(live.tries, 30), self._policy.retry_most)
            live.tries += 1
        if live.timer is not None:
            live.timer.cancel()
        live.timer = asyncio.get_running_loop().call_later(delay, self.perform, instruction, live)
        return True

    def ask_again(self, live: Live) -> None:
        """Ask the batch system once more for what was asked of the activity."""
        self.perform(Instruction.CONTROL, live)

    def went_well(self, live: Live) -> None:
        """What was tried has worked."""
        live.tries, live.trying_since = 0, None
        if live.timer is not None:
            live.timer.cancel()
            live.timer = None


def _is(change: Change, now: Activity) -> bool:
    """Whether the change is what was recorded last."""
    return now.version == change.activity.version + 1 and now.worker == change.activity.worker


def _readable(change: Change) -> Change:
    """The same with what came from outside as text that can be recorded."""
    activity = change.activity
    activity = activity.but(
        reason=readable(activity.reason),
        native_id=readable(activity.native_id),
        hosts=readable(activity.hosts),
        wish=activity.wish and replace(activity.wish, words=readable(activity.wish.words)),
    )
    events = [
        msgspec.structs.replace(event, message=readable(event.message), detail=readable(event.detail))
        for event in change.events
    ]
    return Change(activity, tuple(events))
