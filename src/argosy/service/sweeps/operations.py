"""The operations on sweeps, over the store and the runner."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import msgspec

from argosy.delegation import Keeper
from argosy.identity.policy import Operation, Reach
from argosy.languages.native import Description
from argosy.languages.sweeps import Expansion, Options
from argosy.model import Conflict, InvalidInput, InvalidStateException, NotFound, TooLarge, clock
from argosy.model.sweep import SweepState
from argosy.service.administration.admission import Admission
from argosy.service.credentials.delegated import check as check_credentials
from argosy.service.owners.kept import Kept
from argosy.store import NewSweep, Store, Sweep, SweepDocument, SweepEvent, SweepQuery

from ..caller import Caller
from ..ids import check_cursor, new_id
from ..policy import ServicePolicy
from ..reaching import demand
from .contract import PREFIX, SweepCreated, SweepOperations, SweepRequest, SweepStatus
from .deciding import become
from .refusals import in_the_documents_terms
from .runner import Maker, SweepRunner, for_share, may_hold, read_document

#: How many jobs are made to be looked at before a sweep is recorded, and for how long, in seconds.
_PROBES = 250
_PROBING = 2.0
_AT_A_TIME = 25


def _of_job(error: InvalidInput, index: int) -> InvalidInput:
    error.message = f"{error.message} (job {index} of the sweep)"
    error.args = (error.message,)
    return error


class SweepService(SweepOperations):
    """The part of the service that answers for sweeps."""

    keeper: Keeper
    kept: Kept
    _sweeps: SweepRunner
    _store: Store
    _policy: ServicePolicy
    _worker: str
    _admission: Admission
    _maker: Maker

    async def create_sweep(self, caller: Caller, request: SweepRequest) -> SweepCreated:
        demand(caller, Operation.CREATE_SWEEP)
        if (refusal := self._admission.refusal()) is not None:
            raise refusal
        expansion, notes, probes = await asyncio.to_thread(
            _read, request.document, self._policy.sweep_limit, request.options.share
        )
        options = _merged(request.options, expansion.options)
        window = options.window or self._policy.sweep_window
        if window > self._policy.sweep_window_limit:
            raise InvalidInput(
                f"{window} unfinished jobs at a time; the most are {self._policy.sweep_window_limit}", element="window"
            )
        seen: set[tuple[str, ...]] = set()
        for number, (index, job) in enumerate(probes):
            # As a rule all jobs name the same, and one look is enough; but a parameter may name them too.
            named = (str(job.offer_credentials), *job.credentials)
            if named not in seen:
                seen.add(named)
                try:
                    await check_credentials(self.keeper, caller.name, job)
                except InvalidInput as error:
                    raise _of_job(error, index) from None
            self._probe(caller, index, job, request)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)  # others have their turn
        now = clock.now()
        state = SweepState.HELD if options.held else SweepState.RUNNING
        sweep = Sweep(
            id=PREFIX + new_id(),
            owner=caller.name,
            state=state,
            version=0,
            created=now,
            changed=now,
            total=expansion.count,
            name=options.name,
            window=window,
            stop_after=options.stop_after_failures,
            share=options.share,
            reason="waiting for its owner to let it start" if options.held else None,
            worker=self._worker,
            groups=tuple(sorted(caller.groups)),
            local_account=await self._maker.account(caller),
        )
        most = self._admission.limits.unfinished
        if most and min(window, expansion.count) > most:
            notes = [*notes, f"no more than {most} of its jobs are unfinished at a time: so many you may have in all"]
        events = [SweepEvent(sweep.id, now, "created", state, f"{expansion.count} jobs", caller.name)]
        events += [SweepEvent(sweep.id, now, "note", state, note) for note in notes]
        async with self.kept.during(caller) as proxy:
            made = await self._store.create_sweep(
                NewSweep(
                    sweep.but(proxy=proxy),
                    request.document,
                    tuple(events),
                    request.key,
                    _digest(request),
                    now + self._policy.key_lifetime,
                )
            )
            if isinstance(made, Conflict):
                raise made
            if not made.existed:
                self._sweeps.follow(made.sweep, expansion)
        return SweepCreated(made.sweep, made.existed, tuple(notes))

    def _probe(self, caller: Caller, index: int, job: Description, request: SweepRequest) -> None:
        """Raise InvalidInput where a job could not be made."""
        try:
            self._maker.look_at(caller, job)
        except InvalidInput as error:
            if error.element == "share" and request.options.share is not None:
                raise  # that of the request, not of its document
            raise _of_job(in_the_documents_terms(error, request.document, job), index) from None

    async def _sweep_of(self, caller: Caller, operation: Operation, id: str) -> Sweep:
        everybodys = demand(caller, operation) is Reach.ANY
        found = await self._store.sweep(id)
        if found is None or not (everybodys or found.owner == caller.name):
            raise NotFound(f"there is no sweep {id!r}")
        return found

    async def sweep(self, caller: Caller, id: str, *, wait: float = 0.0) -> SweepStatus:
        found = await self._sweep_of(caller, Operation.SWEEP, id)
        if wait > 0 and not found.state.final:
            await self._sweeps.until_over(id, wait)
            found = await self._sweep_of(caller, Operation.SWEEP, id)
        return SweepStatus(found, await self._store.sweep_states(id))

    async def sweep_page(self, caller: Caller, query: SweepQuery) -> tuple[list[Sweep], str | None]:
        demand(caller, Operation.SWEEP_PAGE)
        check_cursor(query.after, PREFIX)
        return await self._store.sweep_page(replace(query, owner=caller.name))

    async def sweep_document(self, caller: Caller, id: str) -> SweepDocument:
        await self._sweep_of(caller, Operation.SWEEP_DOCUMENT, id)
        found = await self._store.sweep_document(id)
        if found is None:
            raise NotFound(f"there is no sweep {id!r}")
        return found

    async def sweep_events(self, caller: Caller, id: str, *, after: int = 0, limit: int = 1000) -> list[SweepEvent]:
        await self._sweep_of(caller, Operation.SWEEP_EVENTS, id)
        return await self._store.sweep_events(id, after=after, limit=limit)

    async def stream_sweep(self, caller: Caller, id: str, *, after: int = 0) -> AsyncIterator[Sequence[SweepEvent]]:
        await self._sweep_of(caller, Operation.STREAM_SWEEP, id)
        async for events in self._sweeps.stories.follow(id, after):
            yield events

    async def hold_sweep(self, caller: Caller, id: str) -> Sweep:
        await self._sweep_of(caller, Operation.HOLD_SWEEP, id)

        def decide(now: Sweep) -> tuple[Sweep, Sequence[SweepEvent]] | None:
            if now.state is SweepState.HELD:
                return None
            may_hold(now)
            return self._become(now, SweepState.HELD, caller, "its owner holds it")

        return await self._sweeps.change(id, decide)

    async def release_sweep(self, caller: Caller, id: str) -> Sweep:
        await self._sweep_of(caller, Operation.RELEASE_SWEEP, id)

        def decide(now: Sweep) -> tuple[Sweep, Sequence[SweepEvent]] | None:
            if now.state is SweepState.RUNNING:
                return None
            if now.state is not SweepState.HELD:
                raise InvalidStateException(f"it is {now.state}; only one that is held can be released")
            return self._become(now, SweepState.RUNNING, caller)

        return await self._sweeps.change(id, decide)

    async def terminate_sweep(self, caller: Caller, id: str) -> Sweep:
        await self._sweep_of(caller, Operation.TERMINATE_SWEEP, id)
        return await self._terminated(caller, id)

    async def _terminated(self, caller: Caller, id: str) -> Sweep:
        def decide(now: Sweep) -> tuple[Sweep, Sequence[SweepEvent]] | None:
            if now.state.final or now.state is SweepState.TERMINATING:
                return None
            return self._become(now, SweepState.TERMINATING, caller)

        return await self._sweeps.change(id, decide)

    async def purge_sweep(self, caller: Caller, id: str, *, terminate: bool = False, wait: float = 60.0) -> bool:
        found = await self._sweep_of(caller, Operation.PURGE_SWEEP, id)
        if terminate:
            found = await self._terminated(caller, id)
        elif not found.state.final:
            raise InvalidStateException(f"it is {found.state}; terminate it first, or ask for that with the purge")
        await self._sweeps.remove(found)
        return await self._sweeps.until_gone(id, wait)

    def _become(
        self, now: Sweep, state: SweepState, caller: Caller, reason: str | None = None
    ) -> tuple[Sweep, Sequence[SweepEvent]]:
        changed, event = become(now, state, clock.now(), self._policy.retention, reason=reason, by=caller.name)
        return changed, [event]


def _read(
    document: SweepDocument, limit: int, share: str | None
) -> tuple[Expansion, list[str], list[tuple[int, Description]]]:
    """A document, its notes, and some of its jobs to look at. Raises InvalidInput, TooLarge."""
    expansion, notes = read_document(document)
    if expansion.count > limit:
        raise TooLarge(f"the sweep has {expansion.count} jobs; the most are {limit}", element="sweep")
    if expansion.count < 1:
        raise InvalidInput("the sweep has no jobs", element="sweep")
    expansion.check()
    until = time.monotonic() + _PROBING
    probes = []
    last = expansion.count - 1
    for index in itertools.islice(expansion.probes(), _PROBES):
        if index != last:
            probes.append(_probed(expansion, index, share))
        if time.monotonic() > until:
            break
    return expansion, notes, [*probes, _probed(expansion, last, share)]


def _probed(expansion: Expansion, index: int, share: str | None) -> tuple[int, Description]:
    return index, for_share(expansion.description(index), share)


def _merged(first: Options, second: Options) -> Options:
    """What the request says, and for the rest what the document says."""
    return Options(
        name=first.name or second.name,
        window=first.window or second.window,
        stop_after_failures=first.stop_after_failures or second.stop_after_failures,
        held=first.held or second.held,
        share=first.share,
    )


def _digest(request: SweepRequest) -> bytes:
    document = request.document
    options = msgspec.to_builtins(request.options)
    if options["share"] is None:
        del options["share"]  # as it was before there was one: those who repeat are known by it
    said = msgspec.json.encode([document.language, document.strict, options])
    return hashlib.sha256(said + b"\0" + document.data).digest()
