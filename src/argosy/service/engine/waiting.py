"""Activities that no share takes now: kept in groups that need the same, until something does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from argosy.model import ActivityDescription, ActivityState
from argosy.service.lifecycle import Happening, Matched, Unmatched
from argosy.service.matching.routing import Router
from argosy.service.matching.verdicts import Requirements, Verdict, Waiting, Who

from .engine import Engine, Live

#: How many waiting activities are sent off in one go.
_AT_A_TIME = 200


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

    async def match(self, live: Live) -> None:
        """Send an activity off, or let it wait."""
        needed, who = Requirements.of(await self._describe(live)), Who(live.record.owner, live.record.groups)
        found = self._router.again(needed, who)
        if isinstance(found, Waiting):
            self.add(live, needed, who, found.reason)
            self._engine.post(live.record.id, Unmatched(found.reason))
        else:
            self._engine.went_well(live)
            self._engine.post(live.record.id, self._matched(found, needed, who))

    async def ended(self) -> None:
        """Activities have ended: their owners may have room again where one user may have only so much."""
        if not self.empty and self._router.limited:
            await self.look()

    def add(self, live: Live, needed: Requirements, who: Who, reason: str) -> None:
        """Let an activity wait."""
        live.description = None  # thousands may wait; it is read again
        self._groups.setdefault((needed, who), _Group(reason)).ids[live.record.id] = None

    async def look(self) -> None:
        """See what has become possible. One look at each group of activities that need the same."""
        self._router.recount(live.record for live in self._engine.lives())
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
        return self._matched(found, needed, who)

    def _matched(self, verdict: Verdict, needed: Requirements, who: Who) -> Matched:
        self._router.give(verdict, needed.cores, who.name)
        return Matched(
            verdict.candidate.resource, verdict.queue, verdict.candidate.name, verdict.environments, verdict.left_out
        )
