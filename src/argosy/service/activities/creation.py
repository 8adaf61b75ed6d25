"""The creation of activities (GES 3.1.1): drafted, admitted, recorded, begun; a sweep's jobs go the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from argosy.delegation import Keeper
from argosy.languages.native import Description
from argosy.languages.sweeps import Value
from argosy.model import ActivityState, ArgosyError, InvalidInput, Unavailable
from argosy.service.administration.admission import Admission, Drained
from argosy.service.caller import Caller
from argosy.service.contract import CreateRequest
from argosy.service.credentials.delegated import check as check_credentials
from argosy.service.engine.engine import Engine
from argosy.service.engine.waiting import WaitingRoom
from argosy.service.matching.verdicts import Requirements, Who
from argosy.service.owners.kept import Kept
from argosy.service.sweeps.runner import Maker
from argosy.store import Activity, Created, NewActivity, Store, Sweep

from .drafting import Draft, Drafting, Vector

#: How many activities of a vector are recorded together.
_TOGETHER = 256
#: How many of their descriptions are looked at in one go.
_AT_A_TIME = 64


class _NotRecorded(ArgosyError):
    """The store had no part of what was to be recorded together: `cause` says why."""

    def __init__(self, cause: Unavailable) -> None:
        super().__init__(cause.message)
        self.cause = cause


class Creation:
    """Creates activities of requests. `account` tells as which local account everything is done for a caller, None
    for the service's."""

    def __init__(
        self,
        store: Store,
        drafting: Drafting,
        admission: Admission,
        engine: Engine,
        waiting: WaitingRoom,
        keeper: Keeper,
        account: Callable[[Caller], Awaitable[str | None]],
        kept: Kept,
        fault: Callable[[str], None],
    ) -> None:
        self._store = store
        self._drafting = drafting
        self._admission = admission
        self._engine = engine
        self._waiting = waiting
        self._keeper = keeper
        self.account = account
        self._kept = kept
        self._fault = fault
        self._recording: set[asyncio.Task[None]] = set()

    @property
    def maker(self) -> Maker:
        """What sweeps have their activities made with."""
        admission = self._admission
        return Maker(self.look_at, self.for_sweep, admission.spare, admission.room, admission.done, self.account)

    async def create(
        self, caller: Caller, requests: Sequence[CreateRequest | InvalidInput]
    ) -> list[Created | ArgosyError]:
        """Record activities and begin to work on them; an answer each.

        While some are written to disk those after them are looked at. What was recorded is begun even where whoever
        asked has gone away meanwhile. Raises what became of all of them where the store has none of them.
        """
        async with self._kept.during(caller) as proxy:
            return await self._create(caller, requests, proxy)

    async def _create(
        self, caller: Caller, requests: Sequence[CreateRequest | InvalidInput], proxy: str | None
    ) -> list[Created | ArgosyError]:
        who = Who(caller.name, tuple(sorted(caller.groups)), await self.account(caller))
        answers: list[Created | ArgosyError | None] = [None] * len(requests)
        parts: list[asyncio.Task[None]] = []
        for begin in range(0, len(requests), _TOGETHER):
            # At most two wait to be written, and descriptions are held for no longer than they are needed.
            if len(parts) > 2:
                await asyncio.wait(parts[-3:-2])
            drafts = await self._drafts(who, requests, begin, proxy, answers)
            drafts = await self._admitted(caller, drafts, answers)
            if drafts:
                task = asyncio.create_task(self._record(caller, drafts, answers))
                self._recording.add(task)
                task.add_done_callback(self._recording.discard)
                parts.append(task)
        if parts:
            await asyncio.wait(parts)
        for task in parts:
            task.result()
        if answers and all(isinstance(answer, (Drained, _NotRecorded)) for answer in answers):
            first = answers[0]
            raise first.cause if isinstance(first, _NotRecorded) else cast(Drained, first)
        return [
            answer.cause if isinstance(answer, _NotRecorded) else answer for answer in answers if answer is not None
        ]

    async def _drafts(
        self,
        who: Who,
        requests: Sequence[CreateRequest | InvalidInput],
        begin: int,
        proxy: str | None,
        answers: list[Created | ArgosyError | None],
    ) -> list[tuple[int, Draft]]:
        """Those of the requests from `begin` on that are looked at together; what is wrong with one is its answer."""
        vector = Vector()
        drafts: list[tuple[int, Draft]] = []
        for index in range(begin, min(begin + _TOGETHER, len(requests))):
            request = requests[index]
            if isinstance(request, InvalidInput):
                answers[index] = request
                continue
            try:
                if request.description.credentials or request.description.offer_credentials:
                    await check_credentials(self._keeper, who.name, request.description)
                own = await self._proxy_of(who.name, request.description, proxy)
                draft = self._drafting.draft(who, request, vector, proxy=own)
                drafts.append((index, draft))
            except ArgosyError as error:
                answers[index] = error
            if index % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)  # others have their turn
        return drafts

    async def _proxy_of(self, owner: str, description: Description, came: str | None) -> str | None:
        """The kept proxy that came with the request, unless the description names one itself."""
        if came is None or not description.credentials:
            return came
        return None if await self._keeper.proxies(owner, description.credentials) else came

    async def _record(
        self, caller: Caller, drafts: list[tuple[int, Draft]], answers: list[Created | ArgosyError | None]
    ) -> None:
        self._fault("create-before")
        try:
            results = await self._store.create([draft.new for _, draft in drafts])
        except Unavailable as error:
            # Others of the same vector may have been recorded before: these were not.
            for index, _ in drafts:
                answers[index] = _NotRecorded(error)
            return
        finally:
            self._admission.done(caller.name, len(drafts))
        self._fault("create-after")
        for (index, draft), result in zip(drafts, results, strict=True):
            answers[index] = result
            if isinstance(result, Created) and not result.existed:
                self._begin(result.activity, draft)

    async def _admitted(
        self, caller: Caller, drafts: list[tuple[int, Draft]], answers: list[Created | ArgosyError | None]
    ) -> list[tuple[int, Draft]]:
        """Those that are taken; the others are answered."""
        if not drafts:
            return drafts
        refusals = await self._admission.admit(caller.name, [draft.new for _, draft in drafts])
        for (index, _), refusal in zip(drafts, refusals, strict=True):
            answers[index] = refusal
        return [one for one, refusal in zip(drafts, refusals, strict=True) if refusal is None]

    def _begin(self, activity: Activity, draft: Draft) -> None:
        """Go on with an activity that is recorded as decided."""
        description, decision = draft.description, draft.decision
        first = decision.instructions[0] if decision.instructions else None
        # Thousands may be held, and have long descriptions: that is read again when one is let go.
        kept = None if activity.state is ActivityState.HELD else description
        self._engine.created(activity, draft.needs, kept, first)
        if activity.state is ActivityState.PENDING and (live := self._engine.get(activity.id)):
            self._waiting.add(live, Requirements.of(description), draft.who, activity.reason or "")

    async def for_sweep(
        self, sweep: Sweep, description: Description, parameters: Mapping[str, Value]
    ) -> tuple[NewActivity, Callable[[], None]]:
        """What is to be recorded of a sweep's job, and what begins with it once that is done."""
        who = Who(sweep.owner, sweep.groups, sweep.local_account)
        proxy = await self._proxy_of(sweep.owner, description, sweep.proxy)
        request = CreateRequest(description, sweep=sweep.id, parameters=parameters)
        draft = self._drafting.draft(who, request, proxy=proxy)
        return draft.new, lambda: self._begin(draft.new.activity, draft)

    def look_at(self, caller: Caller, description: Description) -> None:
        """Raise what creating it would raise."""
        self._drafting.draft(Who(caller.name, tuple(sorted(caller.groups))), CreateRequest(description), looking=True)
