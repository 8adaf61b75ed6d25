"""The creation of activities (GES 3.1.1): drafted, admitted, recorded, begun; a sweep's jobs go the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from argosy.delegation import Keeper
from argosy.languages.native import Description
from argosy.languages.sweeps import Value
from argosy.model import ActivityState, ArgosyError
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

#: How many descriptions of a vector are looked at in one go.
_AT_A_TIME = 50


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

    @property
    def maker(self) -> Maker:
        """What sweeps have their activities made with."""
        admission = self._admission
        return Maker(self.look_at, self.for_sweep, admission.room, admission.done, self.account)

    async def create(self, caller: Caller, requests: Sequence[CreateRequest]) -> list[Created | ArgosyError]:
        """Record activities and begin to work on them; an answer each."""
        async with self._kept.during(caller) as proxy:
            return await self._create(caller, requests, proxy)

    async def _create(
        self, caller: Caller, requests: Sequence[CreateRequest], proxy: str | None
    ) -> list[Created | ArgosyError]:
        answers: list[Created | ArgosyError | None] = []
        who = Who(caller.name, tuple(sorted(caller.groups)), await self.account(caller))
        drafts: list[tuple[int, Draft]] = []
        vector = Vector()
        for index, request in enumerate(requests):
            try:
                await check_credentials(self._keeper, caller.name, request.description)
                named = proxy is not None and await self._keeper.proxies(caller.name, request.description.credentials)
                draft = self._drafting.draft(who, request, vector, proxy=None if named else proxy)
            except ArgosyError as error:
                answers.append(error)
                continue
            answers.append(None)
            drafts.append((index, draft))
            if len(drafts) % _AT_A_TIME == 0:
                await asyncio.sleep(0)  # others have their turn
        drafts = await self._admitted(caller, drafts, answers)
        self._fault("create-before")
        try:
            results = await self._store.create([draft.new for _, draft in drafts]) if drafts else []
        finally:
            self._admission.done(caller.name, len(drafts))
        self._fault("create-after")
        for (index, draft), result in zip(drafts, results, strict=True):
            answers[index] = result
            if isinstance(result, Created) and not result.existed:
                self._begin(result.activity, draft)
        return [answer for answer in answers if answer is not None]

    async def _admitted(
        self, caller: Caller, drafts: list[tuple[int, Draft]], answers: list[Created | ArgosyError | None]
    ) -> list[tuple[int, Draft]]:
        """Those that are taken; the others are answered. Raises Drained where none is, for being drained."""
        refusals = await self._admission.admit(caller.name, [draft.new for _, draft in drafts])
        drained = [refusal for refusal in refusals if isinstance(refusal, Drained)]
        if drained and len(drained) == len(answers):
            raise drained[0]
        for (index, _), refusal in zip(drafts, refusals, strict=True):
            answers[index] = refusal
        return [one for one, refusal in zip(drafts, refusals, strict=True) if refusal is None]

    def _begin(self, activity: Activity, draft: Draft) -> None:
        """Go on with an activity that is recorded as decided."""
        description, decision = draft.description, draft.decision
        first = decision.instructions[0] if decision.instructions else None
        self._engine.created(activity, draft.needs, description, first)
        if activity.state is ActivityState.PENDING and (live := self._engine.get(activity.id)):
            self._waiting.add(live, Requirements.of(description), draft.who, activity.reason or "")

    def for_sweep(
        self, sweep: Sweep, description: Description, parameters: Mapping[str, Value]
    ) -> tuple[NewActivity, Callable[[], None]]:
        """What is to be recorded of a sweep's job, and what begins with it once that is done."""
        who = Who(sweep.owner, sweep.groups, sweep.local_account)
        draft = self._drafting.draft(who, CreateRequest(description, sweep=sweep.id, parameters=parameters))
        return draft.new, lambda: self._begin(draft.new.activity, draft)

    def look_at(self, caller: Caller, description: Description) -> None:
        """Raise what creating it would raise."""
        self._drafting.draft(Who(caller.name, tuple(sorted(caller.groups))), CreateRequest(description), looking=True)
