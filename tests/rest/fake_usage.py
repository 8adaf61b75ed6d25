"""Usage kept in memory."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.service.caller import Caller
from argosy.service.usage import UsageOperations
from argosy.store import UsageQuery, UsageRecord, UsageSum


class FakeUsage(UsageOperations):
    """A part of `FakeOperations`: what tests put into it."""

    used: tuple[UsageRecord, ...] = ()
    sums: tuple[UsageSum, ...] = ()

    async def usage(self, caller: Caller, query: UsageQuery, by: Sequence[str] = ()) -> list[UsageSum]:
        return list(self.sums)

    async def usage_records(
        self, caller: Caller, query: UsageQuery, *, after: tuple[float, int] | None = None, limit: int = 1000
    ) -> list[UsageRecord]:
        found = [one for one in self.used if after is None or (one.final_at, one.number) > after]
        return found[:limit]
