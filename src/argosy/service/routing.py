"""Sends each activity to a share, and keeps those that nothing takes now until something does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from argosy.model import ActivityDescription, ActivityState, ArgosyError, InvalidInput, RuntimeEnvironment, Unavailable

from .engine import Engine, Live
from .environments import check_requests
from .lifecycle import Happening, Matched, Unmatched
from .matching import Candidate, Fit, Requirements, Verdict, Waiting, Who, choose, judge_all, rank
from .resources import Resource

#: How many waiting activities are sent off in one go.
_AT_A_TIME = 200

#: How many verdicts are remembered, of jobs that need the same, until the shares are looked at again.
_REMEMBERED = 1000

#: Raises InvalidInput for what the resource's batch system can never be asked.
CheckSystem = Callable[[Verdict], None]


class Router:
    """Matching over the resources as they were last seen."""

    def __init__(self, resources: Mapping[str, Resource], environments: Sequence[RuntimeEnvironment] = ()) -> None:
        self._resources = resources
        self.environments = tuple(environments)
        self._by_id = {one.id: one for one in self.environments}
        self._looks: list[tuple[int, bool, str | None]] = []
        self._candidates: list[Candidate] = []
        self._judged: dict[tuple[Requirements, Who], list[Verdict]] = {}

    def candidates(self) -> list[Candidate]:
        """All shares, in the configured order."""
        looks = [resource.look for resource in self._resources.values()]
        if looks != self._looks:
            self._looks = looks
            self._judged.clear()
            self._candidates = [
                candidate for one in self._resources.values() for candidate in one.candidates(self.environments)
            ]
        return self._candidates

    def named(self, ids: Sequence[str]) -> list[RuntimeEnvironment]:
        """The environments of these ids. Raises Unavailable where one is not configured any more."""
        for id in ids:
            if id not in self._by_id:
                raise Unavailable(f"the environment {id}, chosen for it, is not configured here any more")
        return [self._by_id[id] for id in ids]

    def given(self) -> dict[tuple[str, str], int]:
        """CPU cores that were given away since the shares were looked at."""
        return {
            (resource.name, queue): cores
            for resource in self._resources.values()
            for queue, cores in resource.given.items()
        }

    def _ranked(self, needed: Requirements, who: Who) -> list[Verdict]:
        candidates = self.candidates()
        key = (needed, who)
        verdicts = self._judged.get(key)
        if verdicts is None:
            verdicts = judge_all(needed, candidates, who)
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[key] = verdicts
        return verdicts if len(verdicts) == 1 else rank(needed, verdicts, self.given())

    def route(self, description: ActivityDescription, who: Who, check: CheckSystem) -> Verdict | Waiting:
        """Where a new activity goes. Raises InvalidInput or NotAllowed, naming the element, where that is nowhere."""
        check_requests(description.environments)
        needed = Requirements.of(description)
        verdicts = self._ranked(needed, who)
        chosen = choose(needed, verdicts)
        fitting = [verdict for verdict in verdicts if verdict.fit is not Fit.NEVER]
        refused: InvalidInput | None = None
        for verdict in fitting if isinstance(chosen, Waiting) else chosen:
            try:
                check(verdict)
            except InvalidInput as error:
                refused = refused or error
                continue
            if isinstance(chosen, Waiting):
                return chosen
            return verdict
        if refused is not None and not isinstance(chosen, Waiting) and len(fitting) > len(chosen):
            later = [verdict for verdict in fitting if verdict.fit is Fit.LATER]
            return self._later(needed, later, check, refused)
        assert refused is not None
        raise refused

    @staticmethod
    def _later(needed: Requirements, later: Sequence[Verdict], check: CheckSystem, refused: InvalidInput) -> Waiting:
        """All that would take it now refuse it: whether one of those that would later is to be waited for."""
        for verdict in later:
            try:
                check(verdict)
            except InvalidInput:
                continue
            waiting = choose(needed, [verdict])
            assert isinstance(waiting, Waiting)
            return waiting
        raise refused

    def again(self, needed: Requirements, who: Who) -> Verdict | Waiting:
        """Where an activity goes that was taken on earlier. What cannot be any more, the configuration having changed,
        waits too: it may be again."""
        try:
            chosen = choose(needed, self._ranked(needed, who))
        except ArgosyError as error:
            return Waiting(error.message)
        return chosen if isinstance(chosen, Waiting) else chosen[0]

    def give(self, verdict: Verdict, cores: int) -> None:
        """Take note that a job goes there."""
        share = verdict.candidate.share
        if share is not None:
            given = self._resources[verdict.candidate.resource].given
            given[share.name] = given.get(share.name, 0) + cores


@dataclass(slots=True)
class _Group:
    """Waiting activities that need the same."""

    reason: str
    ids: dict[str, None] = field(default_factory=dict)


class WaitingRoom:
    """The activities of this worker that nothing takes now."""

    def __init__(
        self, router: Router, engine: Engine, describe: Callable[[Live], Awaitable[ActivityDescription]]
    ) -> None:
        self._router = router
        self._engine = engine
        self._describe = describe
        self._groups: dict[tuple[Requirements, Who], _Group] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._groups

    async def match(self, lives: Sequence[Live]) -> None:
        """Send activities off, or let them wait."""
        for live in lives:
            needed, who = Requirements.of(await self._describe(live)), Who(live.record.owner, live.record.groups)
            found = self._router.again(needed, who)
            if isinstance(found, Waiting):
                self.add(live, needed, who, found.reason)
                self._engine.post(live.record.id, Unmatched(found.reason))
            else:
                self._engine.went_well(live)
                self._engine.post(live.record.id, self._matched(found, needed))

    def add(self, live: Live, needed: Requirements, who: Who, reason: str) -> None:
        """Let an activity wait."""
        live.description = None  # thousands may wait; it is read again
        self._groups.setdefault((needed, who), _Group(reason)).ids[live.record.id] = None

    async def look(self) -> None:
        """See what has become possible. One look at each group of activities that need the same."""
        for key, group in list(self._groups.items()):
            needed, who = key
            found = self._router.again(needed, who)
            if isinstance(found, Waiting) and found.reason == group.reason and not self._gone(group):
                continue
            ids = list(group.ids)
            for begin in range(0, len(ids), _AT_A_TIME):
                for id in ids[begin : begin + _AT_A_TIME]:
                    happened = self._next(id, group, needed, who)
                    if happened is not None:
                        self._engine.post(id, happened)
                await asyncio.sleep(0)  # others have their turn
            if isinstance(found, Waiting):
                group.reason = found.reason
            if not group.ids and self._groups.get(key) is group:
                del self._groups[key]

    def _gone(self, group: _Group) -> bool:
        """Whether any of a group waits no more, having been ended or held, say."""
        return any(self._is_gone(id) for id in group.ids)

    def _is_gone(self, id: str) -> bool:
        live = self._engine.get(id)
        return live is None or live.record.state is not ActivityState.PENDING or live.record.resource is not None

    def _next(self, id: str, group: _Group, needed: Requirements, who: Who) -> Happening | None:
        if self._is_gone(id):
            group.ids.pop(id, None)
            return None
        found = self._router.again(needed, who)
        if isinstance(found, Waiting):
            return Unmatched(found.reason)
        group.ids.pop(id, None)
        return self._matched(found, needed)

    def _matched(self, verdict: Verdict, needed: Requirements) -> Matched:
        self._router.give(verdict, needed.cores)
        return Matched(
            verdict.candidate.resource, verdict.queue, verdict.candidate.name, verdict.environments, verdict.left_out
        )
