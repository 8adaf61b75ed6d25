"""The ledger of what activities have used, kept beyond their purge: records, and the contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

#: What usage can be summed up by: whose it is, the queue, the resource, the account charged, the UTC day of the end.
GROUPS = ("user", "share", "resource", "account", "day")


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one job of an activity has used. Times are seconds since the epoch; None where nobody measured.

    `run` is 0, and one more for each job after a restart. `cores`, `nodes` and `processes` are those asked for;
    `core_seconds` is `cores` times `wall_seconds`. `final_at` is when the activity reached its final state.
    """

    number: int
    activity: str
    run: int
    owner: str
    account: str | None
    name: str | None
    resource: str | None
    queue: str | None
    native_id: str | None
    state: str
    exit_code: int | None
    created: float
    submitted: float | None
    started: float | None
    ended: float | None
    final_at: float
    nodes: int | None
    processes: int | None
    cores: int | None
    cpu_seconds: float | None
    wall_seconds: float | None
    core_seconds: float | None
    max_rss: int | None
    hosts: tuple[str, ...] = ()

    @property
    def share(self) -> str | None:
        """``RESOURCE`` or ``RESOURCE/QUEUE``."""
        return self.resource if self.queue is None else f"{self.resource}/{self.queue}"


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What some jobs have used together. `group` are the values that they have in common, in the order asked for.

    `unmeasured` of them have run, and nobody measured their CPU time.
    """

    group: tuple[str | None, ...]
    jobs: int
    finished: int
    failed: int
    terminated: int
    cpu_seconds: float
    wall_seconds: float
    core_seconds: float
    max_rss: int | None
    unmeasured: int


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Whose usage, in which period: jobs that reached their end from `since` on, and before `until`."""

    owner: str | None = None
    activity: str | None = None
    resource: str | None = None
    since: float | None = None
    until: float | None = None


class UsageStore(ABC):
    """The part of a store that is about usage.

    A record is written in the transaction in which its activity reaches a final state.
    """

    @abstractmethod
    async def usage_sums(self, query: UsageQuery, by: Sequence[str], limit: int) -> list[UsageSum]:
        """The sums by some of `GROUPS`, in their order; at most `limit`."""

    @abstractmethod
    async def usage_records(
        self, query: UsageQuery, *, after: tuple[float, int] | None = None, limit: int = 1000
    ) -> list[UsageRecord]:
        """The records by time, those after `final_at` and `number` of the last one seen."""

    @abstractmethod
    async def trim_usage(self, before: float) -> None:
        """Remove records of what ended before that."""
