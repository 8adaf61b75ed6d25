"""Usage: what activities have used, by activity, user, share and period (the ledger; it outlives their purge)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from argosy.identity.policy import Operation, Reach
from argosy.model import InvalidInput, LimitExceeded, NotAllowed
from argosy.model.choices import none_of
from argosy.store import Store, UsageQuery, UsageRecord, UsageSum
from argosy.store.usage import GROUPS

from .caller import Caller
from .reaching import demand

#: The most lines of one summary.
MOST_LINES = 10_000
_PAGE = 1000


class UsageOperations(ABC):
    """A part of `argosy.service.contract.Operations`. Users see their own usage; administrators everybody's."""

    @abstractmethod
    async def usage(self, caller: Caller, query: UsageQuery, by: Sequence[str] = ()) -> list[UsageSum]:
        """The sums by some of `argosy.store.usage.GROUPS`, in their order; one sum of all where none is named.

        Raises InvalidInput for another group, NotAllowed for somebody else's usage, and LimitExceeded where there
        would be more lines than `MOST_LINES`.
        """

    @abstractmethod
    async def usage_records(
        self, caller: Caller, query: UsageQuery, *, after: tuple[float, int] | None = None, limit: int = _PAGE
    ) -> list[UsageRecord]:
        """The records of single jobs by the time of their end; those after `final_at` and `number` of the last seen."""

    async def all_usage_records(self, caller: Caller, query: UsageQuery) -> AsyncIterator[Sequence[UsageRecord]]:
        """All of them, page by page: memory is bounded."""
        after = None
        while True:
            page = await self.usage_records(caller, query, after=after, limit=_PAGE)
            if page:
                yield page
            if len(page) < _PAGE:
                return
            after = (page[-1].final_at, page[-1].number)


class Usage(UsageOperations):
    """Over the store of the service that it is mixed into."""

    _store: Store

    async def usage(self, caller: Caller, query: UsageQuery, by: Sequence[str] = ()) -> list[UsageSum]:
        allowed = _allowed(caller, Operation.USAGE, query)
        for index, one in enumerate(by):
            if one not in GROUPS:
                raise InvalidInput(f"usage is not summed up by that: {none_of(one, GROUPS)}", element="by")
            if one in by[:index]:
                raise InvalidInput(f"usage is summed up by {one} once, not twice", element="by")
        found = await self._store.usage_sums(allowed, by, MOST_LINES + 1)
        if len(found) > MOST_LINES:
            raise LimitExceeded(f"these are more than {MOST_LINES} lines; ask for a shorter period, or by less")
        return found

    async def usage_records(
        self, caller: Caller, query: UsageQuery, *, after: tuple[float, int] | None = None, limit: int = _PAGE
    ) -> list[UsageRecord]:
        return await self._store.usage_records(
            _allowed(caller, Operation.USAGE_RECORDS, query), after=after, limit=limit
        )


def _allowed(caller: Caller, operation: Operation, query: UsageQuery) -> UsageQuery:
    """The query, about what the caller may see."""
    if demand(caller, operation) is Reach.ANY:
        return query
    if query.owner not in (None, caller.name):
        raise NotAllowed("the usage of others is for administrators", element="user")
    return replace(query, owner=caller.name)
