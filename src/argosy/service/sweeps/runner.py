"""Goes on with sweeps: one task for each that is unfinished, woken when one of its activities ends.

What a step needs is in the record, and each step is one transaction or may be done again: after a crash the next
worker begins with the next step, whatever the last one was doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from argosy.executors.tasks import Tasks, at_intervals, tell
from argosy.languages import registry
from argosy.languages.contract import check
from argosy.languages.native import Description
from argosy.languages.sweeps import Expansion, Value
from argosy.model import (
    ActivityState,
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidStateException,
    NotAllowed,
    NotFound,
    Unavailable,
    clock,
)
from argosy.model.sweep import SweepState
from argosy.service.engine.engine import Engine
from argosy.store import Activity, Event, NewActivity, Query, Store, Sweep, SweepDocument, SweepEvent

from ..caller import Caller
from ..lifecycle import TerminateAsked
from ..policy import ServicePolicy
from .deciding import Become, EndActivities, Expand, Remove, Wait, become, next_step
from .refusals import PLACED, in_the_documents_terms, why_not
from .stories import Stories

#: The most activities that are made in one transaction, and the time after which what there is is recorded, in seconds.
_CHUNK = 250
_SLICE = 0.2
#: How many activities are ended or removed in one go.
_PAGE = 200
#: How often a change is decided on anew because the record has changed meanwhile.
_TRIES = 100
#: How many refused jobs have an event each; the counts tell of all.
_TOLD = 1000
#: How often it is recorded that a sweep waits at a limit, and how soon one looks again for room, in seconds.
_TELL_AGAIN = 60.0
_LOOK_AGAIN = 0.25
_NOT_ENDING = tuple(
    state.value for state in ActivityState if not state.final and state is not ActivityState.TERMINATING
)
_OPEN = tuple(state.value for state in ActivityState if not state.final)


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes activities of descriptions, as it does for single ones.

    `look_at` raises what is wrong with a description. `prepare` answers with what is to be recorded of a sweep's
    job with these parameters, and what begins with it once that is done. `account` tells as which local account
    everything is done for a caller, None for the service's.
    """

    look_at: Callable[[Caller, Description], None]
    prepare: Callable[[Sweep, Description, Mapping[str, Value]], Awaitable[tuple[NewActivity, Callable[[], None]]]]
    spare: Callable[[str], Awaitable[tuple[int, ArgosyError | None]]]
    """How many more of an owner's the service would take now, and why no more."""
    room: Callable[[str, Sequence[NewActivity]], Awaitable[int]]
    """How many of these, the first ones, the service takes of their owner now; `taken` says that it has."""
    taken: Callable[[str, int], None]
    account: Callable[[Caller], Awaitable[str | None]]


@dataclass(slots=True)
class _Active:
    """A sweep in this worker's hands."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """It is final, or not there any more."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    expansion: Expansion | None = None
    proxy: str | None = None
    """As `Sweep.proxy`."""
    limited: str | None = None
    """Its owner, while the service takes no more of that owner's."""
    told: float = -_TELL_AGAIN
    """When it was last recorded that it waits, on the monotonic clock."""


def read_document(document: SweepDocument) -> tuple[Expansion, list[str]]:
    """The jobs of a document, and notes about it. Raises InvalidInput. To be called in a thread."""
    parsed = check(registry.language(document.language).parse(document.data, strict=document.strict))
    if parsed.expansion is None:
        raise InvalidInput("the document is no sweep and no array; send it to /v1/activities")
    return parsed.expansion, [str(note) for note in parsed.notes]


class SweepRunner:
    """The sweeps of one worker. Everything belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        maker: Maker,
        purge: Callable[[Sequence[Activity]], Awaitable[None]],
        policy: ServicePolicy,
        worker: str,
        fault: Callable[[str], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._maker = maker
        self._purge = purge
        self._policy = policy
        self._worker = worker
        self._fault = fault
        self.stories = Stories(store)
        self._active: dict[str, _Active] = {}
        self._tasks = Tasks("looking after sweeps")
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Take up everything that no living worker has, and begin the rounds."""
        self._unsubscribe = self._store.subscribe(self._committed)
        await self._take()
        self._tasks.start(at_intervals(self._round, "looking after sweeps", self._policy.housekeeping))

    async def stop(self) -> None:
        """Stop. The next worker goes on."""
        self.stories.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()
        await self._tasks.stop()
        for active in self._active.values():
            active.over.set()
            active.gone.set()

    def follow(self, sweep: Sweep, expansion: Expansion | None = None) -> None:
        """Take a sweep into hand that this worker has by its record."""
        if sweep.id in self._active:
            self._active[sweep.id].news.set()
            return
        active = self._active[sweep.id] = _Active(expansion=expansion, proxy=sweep.proxy)
        self._tasks.start(self._go_on(sweep.id, active))

    async def change(self, id: str, decide: Callable[[Sweep], tuple[Sweep, Sequence[SweepEvent]] | None]) -> Sweep:
        """Record what `decide` makes of the record; None leaves it as it is. Raises NotFound."""
        for _ in range(_TRIES):
            now = await self._store.sweep(id)
            if now is None:
                raise NotFound(f"there is no sweep {id!r}")
            decided = decide(now)
            if decided is None:
                return now
            changed, events = decided
            result = await self._store.change_sweep(changed, events)
            if isinstance(result, Sweep):
                self._poke(id)
                self.stories.told(id)
                return result
        raise Unavailable(f"the sweep {id} changes all the time; ask again in a moment")

    def names(self, credential: str) -> bool:
        """Whether a sweep that has not ended has a credential for its jobs."""
        return any(active.proxy == credential for active in self._active.values())

    def room_again(self) -> None:
        """The service takes new activities again: those that wait for that go on."""
        for active in self._active.values():
            if active.limited is not None:
                active.news.set()

    async def until_over(self, id: str, seconds: float) -> None:
        """Wait until a sweep is final, or for so many seconds."""
        await self._until(id, seconds, lambda active: active.over)

    async def until_gone(self, id: str, seconds: float) -> bool:
        """Whether a sweep is removed within so many seconds."""
        await self._until(id, seconds, lambda active: active.gone)
        return await self._store.sweep(id) is None

    async def remove(self, sweep: Sweep) -> None:
        """Begin to remove a sweep with all its activities; one that has not ended is ended first."""

        def decide(now: Sweep) -> tuple[Sweep, Sequence[SweepEvent]] | None:
            # One that nobody has in hand, or that is final, is this worker's now.
            worker = self._worker if now.state.final or now.worker is None else now.worker
            return None if now.purging else (now.but(purging=True, worker=worker), ())

        self.follow(await self.change(sweep.id, decide))

    async def _until(self, id: str, seconds: float, which: Callable[[_Active], asyncio.Event]) -> None:
        active = self._active.get(id)
        if active is None:
            return  # it is final, or another worker's
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await which(active).wait()

    def _poke(self, id: str) -> None:
        active = self._active.get(id)
        if active is not None:
            active.news.set()

    def _committed(self, events: Sequence[Event], records: Mapping[str, Activity]) -> None:
        del events
        for record in records.values():
            if record.state.final:
                if record.sweep is not None:
                    self._poke(record.sweep)
                for active in self._active.values():
                    if active.limited == record.owner:
                        active.news.set()

    # -- rounds -----------------------------------------------------------------------------------

    async def _round(self) -> None:
        await self._take()
        for id in await self._store.expired_sweeps(clock.now(), _PAGE):
            sweep = await self._store.sweep(id)
            if sweep is not None:
                await self.remove(sweep)

    async def _take(self) -> None:
        for sweep in await self._store.take_sweeps(self._worker, clock.now()):
            self.follow(sweep)

    # -- one sweep --------------------------------------------------------------------------------

    async def _go_on(self, id: str, active: _Active) -> None:
        tries = 0
        while True:
            if active.limited is not None:
                # Many may end at about the same time; counting what there is is not cheap.
                await asyncio.sleep(_LOOK_AGAIN)
            active.news.clear()
            try:
                more = await self._step(id, active)
                tries = 0
            except Exception as error:
                # Whatever it was concerns this sweep alone, and now; nothing is lost, and it is tried again.
                tell(f"the sweep {id} cannot go on now", error)
                tries += 1
                await self._sleep(active, min(self._policy.retry_first * 2 ** min(tries, 30), self._policy.retry_most))
                continue
            if more is None and not active.news.is_set():
                active.gone.set()
                del self._active[id]
                return
            if not more:
                await self._sleep(active, self._policy.housekeeping)

    @staticmethod
    async def _sleep(active: _Active, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await active.news.wait()

    async def _step(self, id: str, active: _Active) -> bool | None:
        """One step. Whether there may be more to do at once; None where nothing is left to do at all."""
        sweep = await self._store.sweep(id)
        if sweep is None or (sweep.worker != self._worker and not (sweep.state.final and sweep.worker is None)):
            active.over.set()
            return None
        if sweep.state.final:
            active.over.set()
            if not sweep.purging:
                return None
        match next_step(sweep):
            case Expand(most):
                return await self._expand(sweep, most, active)
            case Become(state, reason):
                now = clock.now()
                changed, event = become(sweep, state, now, self._policy.retention, reason=reason, by=sweep.by)
                await self._store.change_sweep(changed, [event])  # a Conflict is looked at again
                self.stories.told(id)
                return True
            case EndActivities():
                await self._end(sweep, sweep.by or sweep.owner)
                return False
            case Remove():
                return await self._remove(sweep)
            case Wait():
                if sweep.next >= sweep.total or sweep.state is not SweepState.RUNNING:
                    active.expansion = None
        return False

    async def _expand(self, sweep: Sweep, most: int, active: _Active) -> bool:
        expansion = active.expansion
        if expansion is None:
            document = await self._store.sweep_document(sweep.id)
            if document is None:
                raise Unavailable(f"the document of the sweep {sweep.id} is not in the store")
            found, _ = await asyncio.to_thread(read_document, document)
            expansion = active.expansion = found
        start = sweep.next
        spare, why = await self._maker.spare(sweep.owner)
        if spare <= 0 and why is not None:
            return await self._wait_at(sweep, why.message, active)
        wanted = min(most, _CHUNK)
        if spare >= wanted:
            await self._go_on_from(sweep, active)
        jobs = await asyncio.to_thread(_make, expansion, start, min(wanted, spare), sweep.share)
        stop = start + len(jobs)
        made: list[NewActivity] = []
        begin: list[Callable[[], None]] = []
        places: list[int] = []
        refused: list[SweepEvent] = []
        for index, (values, job) in enumerate(jobs, start):
            try:
                if isinstance(job, InvalidInput):
                    raise job
                new, beginning = await self._maker.prepare(sweep, job, {**values, "index": index})
            except (InvalidInput, NotAllowed) as error:
                words = await self._why_not(sweep, error, len(refused), index, values, job)
                refused.append(SweepEvent(sweep.id, clock.now(), "refused", sweep.state, words, index=index))
            else:
                made.append(new)
                begin.append(beginning)
                places.append(index)
        room = await self._maker.room(sweep.owner, made)
        if room < len(made):
            # The service takes no more of its owner's now: go on there when one has ended, or after a while.
            stop = places[room]
            made, begin = made[:room], begin[:room]
            refused = [one for one in refused if one.index is not None and one.index < stop]
            if stop == start:
                return False
        told = refused[: max(0, _TOLD - sweep.refused)]
        self._fault("sweep-before")
        try:
            result = await self._store.expand(sweep.id, start, stop, made, told)
        finally:
            self._maker.taken(sweep.owner, len(made))
        if isinstance(result, Conflict):
            return True  # held or terminated meanwhile: what is recorded is looked at again
        if told:
            self.stories.told(sweep.id)
        self._fault("sweep-after")
        for one in begin:
            one()
        return True

    async def _why_not(
        self,
        sweep: Sweep,
        error: InvalidInput | NotAllowed,
        before: int,
        index: int,
        values: Mapping[str, Value],
        job: Description | InvalidInput,
    ) -> str:
        """What is told of a job that cannot be made; so many were not `before` it, of those that are made together."""
        if isinstance(job, InvalidInput):
            # It tells its values itself, and some tell their place.
            said = error.element is None or error.element in error.message
            return error.message if said else f"{error.element}: {error.message}"
        if error.element == "share" and sweep.share is not None:
            return why_not(error, index, values)  # that of the request, not of its document
        if sweep.refused + before < PLACED and error.element is not None:
            document = await self._store.sweep_document(sweep.id)
            if document is not None:
                error = await asyncio.to_thread(in_the_documents_terms, error, document, job)
        return why_not(error, index, values)

    async def _wait_at(self, sweep: Sweep, why: str, active: _Active) -> bool:
        """Nothing more is made until there is room; whoever looks at the sweep is told why."""
        first, active.limited = active.limited is None, sweep.owner
        reason = f"no more jobs are made now: {why}"
        if sweep.reason != reason and time.monotonic() - active.told >= _TELL_AGAIN:
            active.told = time.monotonic()
            now = clock.now()
            event = SweepEvent(sweep.id, now, "waiting", sweep.state, reason)
            await self._store.change_sweep(sweep.but(changed=now, reason=reason), [event])
            self.stories.told(sweep.id)
        return first  # what ended while it was counted poked nobody yet

    async def _go_on_from(self, sweep: Sweep, active: _Active) -> None:
        active.limited = None
        if sweep.reason is not None:
            await self._store.change_sweep(sweep.but(changed=clock.now(), reason=None), ())

    async def _end(self, sweep: Sweep, by: str) -> None:
        """See to it that its activities are being ended. Those in another worker's hands are asked for again later."""
        after: str | None = None
        while True:
            page, after = await self._store.page(Query(sweep=sweep.id, states=_NOT_ENDING, after=after, limit=_PAGE))
            asked = [self._engine.posted(activity.id, TerminateAsked(by)) for activity in page]
            futures = [future for future in asked if future is not None]
            if futures:
                await asyncio.wait(futures)
                for future in futures:
                    with contextlib.suppress(ArgosyError):  # another worker has it now
                        future.result()
            if after is None:
                return

    async def _remove(self, sweep: Sweep) -> bool:
        final = (ActivityState.FINISHED.value, ActivityState.FAILED.value, ActivityState.TERMINATED.value)
        page, _ = await self._store.page(Query(sweep=sweep.id, states=final, limit=_PAGE))
        if page:
            try:
                await self._purge(page)
            except Conflict:
                return False  # one of them was restarted just now, and is ended next
            return True
        still, _ = await self._store.page(Query(sweep=sweep.id, states=_OPEN, limit=1))
        if still:
            await self._end(sweep, sweep.by or sweep.owner)
            return False
        await self._store.remove_sweep(sweep.id)
        self.stories.told(sweep.id)
        return True


def for_share(description: Description, share: str | None) -> Description:
    """A job's description, for where the request for its sweep says that all of them go."""
    return description if share is None else msgspec.structs.replace(description, share=share)


def _make(
    expansion: Expansion, start: int, most: int, share: str | None
) -> list[tuple[dict[str, Value], Description | InvalidInput]]:
    """Some jobs, and what is wrong with those that cannot be: so many, or what a slice of time is enough for."""
    made: list[tuple[dict[str, Value], Description | InvalidInput]] = []
    until = time.monotonic() + _SLICE
    for index in range(start, start + most):
        values = expansion.values(index)
        try:
            made.append((values, for_share(expansion.make(index, values), share)))
        except InvalidInput as error:
            made.append((values, error))
        if time.monotonic() > until:
            break
    return made


def may_hold(sweep: Sweep) -> None:
    """Raise InvalidStateException where a sweep cannot be held."""
    if sweep.state not in (SweepState.RUNNING, SweepState.HELD):
        raise InvalidStateException(f"it is {sweep.state}; only one that runs can be held")
    if sweep.next >= sweep.total:
        raise InvalidStateException("all of its jobs are made; there is nothing to hold back")
