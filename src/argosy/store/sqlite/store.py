"""The store in one SQLite file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from argosy.model import ActivityState, Conflict, Unavailable
from argosy.store.contract import Store
from argosy.store.notifications import Sealer
from argosy.store.records import Activity, Change, Chore, Created, Event, NewActivity, Query, StoredCredential

from . import creating, operations
from .administration import SQLiteAdministration
from .connections import open_writer
from .ledger import SQLiteLedger
from .listing import HIGHEST, LOWEST, concrete, listing
from .migrations import SchemaError
from .notices import OutboxListener, SQLiteNotifications
from .queries import SQL
from .reader import Reader
from .rows import credential_row, json_text, read_activity, read_chore, read_credential, read_event
from .secrets import Secrets, seal_all
from .sweeps import SQLiteSweeps
from .writer import Writer, Written

_log = logging.getLogger(__name__)

Listener = Callable[[Sequence[Event], dict[str, Activity]], None]

#: How many new activities are written by one step, which nothing comes between.
_TOGETHER = 256
#: How many ids `get` looks up in the event loop; more are looked up in a thread.
_AT_ONCE = 4
#: Clocks are set back now and then: ids and times of creation are trusted to agree only across this many seconds.
_CLOCK_SLACK = 60.0


class SQLiteStore(SQLiteNotifications, SQLiteSweeps, SQLiteLedger, SQLiteAdministration, Store):
    """Records in the SQLite database `path`, which is made where it is not there (mode 0600, its directory 0700).

    All methods belong to one event loop. `fault` is called in the writer's thread at named points: ``before-commit``,
    ``after-commit``; tests use it to kill the process there. `sealer` seals the secrets of subscriptions; what lies
    there otherwise is sealed when the store is opened.
    """

    def __init__(
        self, path: str | Path, *, fault: Callable[[str], None] | None = None, sealer: Sealer | None = None
    ) -> None:
        self._path = Path(path).absolute()
        self._secrets = Secrets(sealer)
        self._fault = fault
        self._listeners: list[Listener] = []
        self._outbox_listeners: list[OutboxListener] = []
        self._open: tuple[Writer, Reader] | None = None

    async def open(self) -> None:
        """Open it, bringing its schema up to date. Raises SchemaError, or Unavailable where the file cannot be used."""
        if self._open is not None:
            raise RuntimeError(f"the store {self._path} is open already")
        writer = Writer(self._connect, self._announce, self._fault, self._secrets)
        try:
            await writer.open()
            try:
                self._open = (writer, Reader(self._path))
            except BaseException:
                await writer.close()
                raise
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the store {self._path} cannot be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            raise SchemaError(f"the store {self._path} is not a whole SQLite database: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        db = open_writer(self._path)
        try:
            sealed = seal_all(db, self._secrets)
        except BaseException:
            db.close()
            raise
        if sealed:
            _log.info("the secrets of %d subscriptions have been sealed", sealed)
        return db

    async def close(self) -> None:
        if self._open is None:
            return
        (writer, reader), self._open = self._open, None
        await writer.close()
        await reader.close()

    @property
    def _writer(self) -> Writer:
        if self._open is None:
            raise Unavailable("the store is closed")
        return self._open[0]

    @property
    def _reader(self) -> Reader:
        if self._open is None:
            raise Unavailable("the store is closed")
        return self._open[1]

    # -- activities -------------------------------------------------------------------------------

    async def create(self, new: Sequence[NewActivity]) -> list[Created | Conflict]:
        parts = [new[begin : begin + _TOGETHER] for begin in range(0, len(new), _TOGETHER)]
        # What cannot be written at all is found before anything is.
        steps = [creating.create(part) for part in parts]
        writer = self._writer
        asked = [writer.ask([step], len(part)) for part, step in zip(parts, steps, strict=True)]
        found: list[Created | Conflict] = []
        for part, answer in zip(parts, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(answer, ValueError) and len(part) > 1:
                # One of them is to blame: each by itself, so that the others are recorded.
                found += [one for (one,) in await writer.submit([creating.create([one]) for one in part])]
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer[0]
        return found

    async def get(self, ids: Sequence[str]) -> dict[str, Activity]:
        reader = self._reader
        if len(ids) <= _AT_ONCE:
            try:
                rows = [reader.row_at_once(SQL["select_activity"], (one,)) for one in ids]
            except sqlite3.DatabaseError:
                rows = None  # it would have to wait: in a thread it may, and what is really wrong is said there
            if rows is not None:
                return {row[0]: read_activity(row) for row in rows if row is not None}
        found = await reader.rows(SQL["select_activities"], (json_text(list(ids)),))
        return {row[0]: read_activity(row) for row in found}

    async def description(self, id: str) -> bytes | None:
        rows = await self._reader.rows(SQL["select_description"], (id,))
        return rows[0][0] if rows else None

    async def page(self, query: Query) -> tuple[list[Activity], str | None]:
        if query.limit < 1:
            raise ValueError(f"a page holds at least one activity, not {query.limit}")
        return await self._reader.run(lambda db: _page(db, query))

    async def count(self, states: Sequence[str] = ()) -> int:
        if states:
            rows = await self._reader.rows(SQL["count_states"], (json_text(concrete(states)),))
        else:
            rows = await self._reader.rows(SQL["count_all"])
        return int(rows[0][0])

    async def tally(self) -> dict[str | None, dict[ActivityState, int]]:
        found: dict[str | None, dict[ActivityState, int]] = {}
        for resource, state, count in await self._reader.rows(SQL["tally"]):
            found.setdefault(resource, {})[ActivityState(state)] = count
        return found

    async def change(self, changes: Sequence[Change]) -> list[Activity | Conflict]:
        return await self._writer.submit([operations.change(one) for one in changes])

    async def purge(self, ids: Sequence[str], chores: Sequence[tuple[str, dict[str, object]]]) -> None:
        await self._writer.submit([operations.purge(ids, chores)])

    async def expired(self, now: float, limit: int) -> list[str]:
        rows = await self._reader.rows(SQL["select_expired"], (now, limit))
        if (await self._reader.rows(SQL["any_expired_key"], (now,)))[0][0]:
            await self._writer.submit([operations.remove_expired_keys(now)])
        return [row[0] for row in rows]

    # -- work -------------------------------------------------------------------------------------

    async def beat(self, worker: str, until: float) -> None:
        await self._writer.submit([operations.statement("beat", (worker, until))])

    async def take(self, worker: str, now: float, limit: int) -> list[Activity]:
        (taken,) = await self._writer.submit([operations.take(worker, now, limit)])
        return list(taken)

    async def in_hand(self, worker: str) -> list[str]:
        return [id for (id,) in await self._reader.rows(SQL["select_in_hand"], (worker, -1))]

    async def retire(self, worker: str) -> None:
        await self._writer.submit([operations.statement("retire", (worker,))])

    async def retire_all(self) -> None:
        await self._writer.submit([operations.statement("retire_all", ())])

    # -- credentials ------------------------------------------------------------------------------

    async def add_credential(self, new: StoredCredential, most: int) -> bool:
        (added,) = await self._writer.submit([operations.counted("insert_credential", (*credential_row(new), most))])
        return bool(added)

    async def credential(self, id: str) -> StoredCredential | None:
        rows = await self._reader.rows(SQL["select_credential"], (id,))
        return read_credential(rows[0]) if rows else None

    async def credentials(self, owner: str) -> list[StoredCredential]:
        return [read_credential(row) for row in await self._reader.rows(SQL["credentials_of_owner"], (owner,))]

    async def change_credential(self, new: StoredCredential) -> bool:
        (changed,) = await self._writer.submit([operations.counted("update_credential", credential_row(new))])
        return bool(changed)

    async def remove_credential(self, id: str) -> bool:
        (removed,) = await self._writer.submit([operations.counted("delete_credential", (id,))])
        return bool(removed)

    async def due_credentials(self, now: float, limit: int) -> list[StoredCredential]:
        return [read_credential(row) for row in await self._reader.rows(SQL["due_credentials"], (now, limit))]

    async def forget_credentials(self, before: float) -> None:
        if (await self._reader.rows(SQL["any_old_credential"], (before,)))[0][0]:
            await self._writer.submit([operations.statement("delete_old_credentials", (before,))])

    # -- events and outbox ------------------------------------------------------------------------

    async def events(self, activity: str, *, after: int = 0, limit: int = 1000) -> list[Event]:
        rows = await self._reader.rows(SQL["events_of_activity"], (activity, after, limit))
        return [read_event(row) for row in rows]

    async def feed(self, owner: str | None, *, after: int, limit: int = 1000) -> list[Event]:
        if owner is None:
            rows = await self._reader.rows(SQL["events_of_all"], (after, limit))
        else:
            rows = await self._reader.rows(SQL["events_of_owner"], (owner, after, limit))
        return [read_event(row) for row in rows]

    async def last_seq(self) -> int:
        return int((await self._reader.rows(SQL["last_seq"]))[0][0])

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def _announce(self, written: Written) -> None:
        calls = [partial(one, written.events, written.records) for one in self._listeners if written.events]
        if written.hosts:
            calls += [partial(one, frozenset(written.hosts)) for one in self._outbox_listeners]
        for call in calls:
            try:
                call()
            except Exception as error:  # one listener's fault is not that of who wrote
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of the store failed", "exception": error}
                )

    async def chores(self, now: float, limit: int) -> list[Chore]:
        return [read_chore(row) for row in await self._reader.rows(SQL["select_chores"], (now, limit))]

    async def chore_done(self, ids: Sequence[int]) -> None:
        if ids:
            await self._writer.submit([operations.statement("delete_chores", (json_text(list(ids)),))])

    async def chore_later(self, id: int, due: float) -> None:
        await self._writer.submit([operations.statement("defer_chore", (due, id))])


def _page(db: sqlite3.Connection, query: Query) -> tuple[list[Activity], str | None]:
    above, below = LOWEST, HIGHEST
    if query.created_from is not None:
        row = db.execute(SQL["last_created_before"], (query.created_from - _CLOCK_SLACK,)).fetchone()
        above = row[0] if row else above
    if query.created_before is not None:
        row = db.execute(SQL["first_created_from"], (query.created_before + _CLOCK_SLACK,)).fetchone()
        below = row[0] if row else below
    if query.after is not None:
        below = min(below, query.after)
    made = listing(query, above=above, below=below)
    if made is None:
        return [], None
    rows = db.execute(*made).fetchall()
    page = [read_activity(row) for row in rows[: query.limit]]
    return page, page[-1].id if len(rows) > query.limit else None
