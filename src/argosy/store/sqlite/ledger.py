"""The ledger of usage in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from argosy.store.records import Activity
from argosy.store.usage import UsageQuery, UsageRecord, UsageStore, UsageSum

from .queries import SQL
from .reader import Reader
from .rows import json_text

if TYPE_CHECKING:
    from .writer import Writer, Written

#: How many old records one step removes.
_AT_ONCE = 10_000

_hosts = msgspec.json.Decoder(tuple[str, ...])

#: The columns of a record, in the order of `UsageRecord`.
_COLUMNS = ", ".join(UsageRecord.__dataclass_fields__)
_GROUPS = {
    "user": "owner",
    "share": "CASE WHEN queue IS NULL THEN resource ELSE resource || '/' || queue END",
    "resource": "resource",
    "account": "account",
    "day": "date(final_at, 'unixepoch')",
}
_SUMS = """count(*),
    sum(state = 'finished'), sum(state = 'failed'), sum(state = 'terminated'),
    total(cpu_seconds), total(wall_seconds), total(core_seconds), max(max_rss),
    sum(started IS NOT NULL AND cpu_seconds IS NULL)"""


def enter(tx: Written, activity: Activity) -> None:
    """Enter an activity that has reached a final state. One that was restarted without a new job is entered anew."""
    usage = activity.usage
    wall = None if usage is None else usage.wall_seconds
    if wall is None and activity.started is not None and activity.ended is not None:
        wall = max(0.0, activity.ended - activity.started)
    tx.db.execute(
        SQL["insert_usage"],
        (
            activity.id,
            len(activity.earlier),
            activity.owner,
            activity.account,
            activity.name,
            activity.resource,
            activity.queue,
            activity.native_id,
            activity.state.value,
            activity.exit_code,
            activity.created,
            activity.submitted,
            activity.started,
            activity.ended,
            activity.changed if activity.final_at is None else activity.final_at,
            activity.nodes,
            activity.processes,
            activity.cores,
            None if usage is None else usage.cpu_seconds,
            wall,
            None if wall is None or activity.cores is None else wall * activity.cores,
            None if usage is None else usage.max_rss,
            json_text(activity.hosts) if activity.hosts else None,
        ),
    )


class SQLiteLedger(UsageStore):
    """A mix-in: the store that it is mixed into has the writer and the reader."""

    @property
    def _writer(self) -> Writer:
        raise NotImplementedError

    @property
    def _reader(self) -> Reader:
        raise NotImplementedError

    async def usage_sums(self, query: UsageQuery, by: Sequence[str], limit: int) -> list[UsageSum]:
        where, values = _where(query)
        groups = [_GROUPS[one] for one in by]
        columns = ", ".join([*groups, _SUMS])
        # The columns are the texts of this module; what a caller gave is bound.
        sql = f"SELECT {columns} FROM {_source(query)} WHERE {' AND '.join(where)}"  # noqa: S608
        if groups:
            order = ", ".join(str(number + 1) for number in range(len(groups)))
            sql += f" GROUP BY {order} ORDER BY {order}"
        rows = await self._reader.rows(sql + " LIMIT :limit", values | {"limit": limit})
        count = len(groups)
        return [UsageSum(row[:count], *row[count:]) for row in rows if row[count]]

    async def usage_records(
        self, query: UsageQuery, *, after: tuple[float, int] | None = None, limit: int = 1000
    ) -> list[UsageRecord]:
        where, values = _where(query)
        if after is not None:
            where.append("(final_at, number) > (:after, :number)")
            values |= {"after": after[0], "number": after[1]}
        sql = (
            f"SELECT {_COLUMNS} FROM {_source(query)} WHERE {' AND '.join(where)} "  # noqa: S608
            "ORDER BY final_at, number LIMIT :limit"
        )
        rows = await self._reader.rows(sql, values | {"limit": limit})
        return [UsageRecord(*row[:-1], hosts=_hosts.decode(row[-1] or b"[]")) for row in rows]  # type: ignore[misc]

    async def trim_usage(self, before: float) -> None:
        from .operations import statement

        await self._writer.submit([statement("delete_old_usage", (before, _AT_ONCE))])


def _source(query: UsageQuery) -> str:
    if query.activity is not None:
        return "usage"
    return "usage INDEXED BY " + ("usage_by_time" if query.owner is None else "usage_by_owner")


def _where(query: UsageQuery) -> tuple[list[str], dict[str, Any]]:
    where = ["final_at >= :since", "final_at < :until"]
    # Times are positive, and no clock shows a year of six digits.
    values: dict[str, Any] = {
        "since": 0.0 if query.since is None else query.since,
        "until": 1e14 if query.until is None else query.until,
    }
    for name in ("owner", "activity", "resource"):
        value = getattr(query, name)
        if value is not None:
            where.append(f"{name} = :{name}")
            values[name] = value
    return where, values
