"""Sweeps in SQLite: their rows, what the writer does, and what readers ask."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from argosy.model import ActivityState, Conflict
from argosy.model.sweep import SWEEP_TRANSITIONS, SweepState
from argosy.store.records import NewActivity
from argosy.store.sweeps import (
    CreatedSweep,
    NewSweep,
    Sweep,
    SweepDocument,
    SweepEvent,
    SweepQuery,
    SweepStore,
)

from . import creating, operations
from .queries import SQL
from .reader import Reader
from .rows import json_text, storable
from .writer import Failed, Writer, Written

T = TypeVar("T")

#: Keys of sweeps are kept with those of activities; no client can send this.
_KEY = "\x01sweep:"
_HIGHEST = "\U0010ffff"
_OPEN = json_text([state.value for state in ActivityState if not state.final])


class _Rest(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    window: int = 1000
    stop_after: int | None = None
    reason: str | None = None
    by: str | None = None
    final_at: float | None = None
    groups: tuple[str, ...] = ()
    local_account: str | None = None
    proxy: str | None = None
    share: str | None = None


_rest = msgspec.json.Decoder(_Rest)


def _rest_text(sweep: Sweep) -> str:
    return json_text(_Rest(*[getattr(sweep, name) for name in _Rest.__struct_fields__]))


def _row(sweep: Sweep) -> tuple[Any, ...]:
    return storable(
        (
            sweep.id,
            sweep.owner,
            sweep.state.value,
            int(sweep.state.final),
            sweep.version,
            sweep.created,
            sweep.changed,
            sweep.total,
            sweep.next,
            sweep.refused,
            sweep.finished,
            sweep.nonzero,
            sweep.failed,
            sweep.terminated,
            int(sweep.purging),
            sweep.expires,
            sweep.worker,
            _rest_text(sweep),
        )
    )


def _read(row: tuple[Any, ...]) -> Sweep:
    (id, owner, state, _, version, created, changed, total, next, refused, finished, nonzero, failed, terminated) = row[
        1:15
    ]
    purging, expires, worker, rest_text = row[15:]
    rest = _rest.decode(rest_text)
    return Sweep(
        id=id,
        owner=owner,
        state=SweepState(state),
        version=version,
        created=created,
        changed=changed,
        total=total,
        next=next,
        refused=refused,
        finished=finished,
        nonzero=nonzero,
        failed=failed,
        terminated=terminated,
        purging=bool(purging),
        expires=expires,
        worker=worker,
        name=rest.name,
        window=rest.window,
        stop_after=rest.stop_after,
        reason=rest.reason,
        by=rest.by,
        final_at=rest.final_at,
        groups=rest.groups,
        local_account=rest.local_account,
        proxy=rest.proxy,
        share=rest.share,
    )


def _event_rows(events: Sequence[SweepEvent]) -> list[tuple[Any, ...]]:
    return [storable((one.time, one.kind, one.state.value, one.message, one.by, one.index)) for one in events]


def _insert_events(tx: Written, pk: int, rows: Sequence[tuple[Any, ...]]) -> None:
    tx.db.executemany(SQL["insert_sweep_event"], [(pk, *row) for row in rows])


def _find(tx: Written, id: str) -> tuple[int, Sweep] | None:
    row = tx.db.execute(SQL["select_sweep"], (id,)).fetchone()
    return None if row is None else (row[0], _read(row))


def _gone(id: str) -> Conflict:
    return Conflict(f"the sweep {id} is not there any more", element="id")


# -- what the writer does ------------------------------------------------------------------------------


def _create(new: NewSweep) -> Callable[[Written], CreatedSweep | Conflict]:
    sweep = new.sweep
    row, events = _row(sweep), _event_rows(new.events)
    storable((new.key,))

    def step(tx: Written) -> CreatedSweep | Conflict:
        if new.key is not None:
            key_row = (sweep.owner, _KEY + new.key, sweep.id, new.digest, new.key_expires, sweep.created)
            if not tx.db.execute(SQL["take_key"], key_row).rowcount:
                return _repeated(tx, new)
        try:
            pk = tx.db.execute(SQL["insert_sweep"], row).lastrowid
        except sqlite3.IntegrityError as error:
            raise ValueError(f"there is a sweep {sweep.id} already, or its columns do not fit") from error
        assert pk is not None
        of = new.document
        tx.db.execute(SQL["insert_sweep_document"], (pk, of.language, int(of.strict), of.data))
        _insert_events(tx, pk, events)
        return CreatedSweep(sweep)

    return step


def _repeated(tx: Written, new: NewSweep) -> CreatedSweep | Conflict:
    first, digest = tx.db.execute(SQL["select_key"], (new.sweep.owner, _KEY + (new.key or ""))).fetchone()
    if digest != new.digest:
        return Conflict(
            f"the submission id {new.key!r} was used for another request, that of {first}; choose a new one",
            element="key",
        )
    found = _find(tx, first)
    if found is None:
        return Conflict(
            f"the submission id {new.key!r} was used for {first}, which has ended and was purged; "
            "to run it once more choose a new one",
            element="key",
        )
    return CreatedSweep(found[1], existed=True)


def _expand(
    id: str, start: int, stop: int, new: Sequence[NewActivity], refusals: Sequence[SweepEvent], refused: int
) -> Callable[[Written], Sweep | Conflict]:
    create = creating.create(new)
    events = _event_rows(refusals)

    def step(tx: Written) -> Sweep | Conflict:
        found = _find(tx, id)
        if found is None:
            return _gone(id)
        pk, now = found
        if now.next != start or now.state is not SweepState.RUNNING:
            return Conflict(f"the sweep {id} is {now.state} and at job {now.next}, not {start}", element="version")
        create(tx)
        tx.db.execute(SQL["expand_sweep"], (stop, refused, pk))
        _insert_events(tx, pk, events)
        return now.but(next=stop, refused=now.refused + refused, version=now.version + 1)

    return step


def _change(sweep: Sweep, events: Sequence[SweepEvent]) -> Callable[[Written], Sweep | Conflict | Failed]:
    rows = _event_rows(events)
    rest = _rest_text(sweep)
    storable((sweep.worker,))

    def step(tx: Written) -> Sweep | Conflict | Failed:
        found = _find(tx, sweep.id)
        if found is None:
            return _gone(sweep.id)
        pk, now = found
        if now.version != sweep.version:
            return Conflict(f"the sweep {sweep.id} has changed meanwhile; read it again", element="version")
        if sweep.state is not now.state and sweep.state not in SWEEP_TRANSITIONS[now.state]:
            return Failed(ValueError(f"the sweep {sweep.id} cannot go from {now.state} to {sweep.state}"))
        new = sweep.but(
            version=sweep.version + 1,
            next=now.next,
            refused=now.refused,
            finished=now.finished,
            nonzero=now.nonzero,
            failed=now.failed,
            terminated=now.terminated,
        )
        values = (
            new.state.value,
            int(new.state.final),
            new.version,
            new.changed,
            int(new.purging),
            new.expires,
            new.worker,
            rest,
            pk,
        )
        tx.db.execute(SQL["update_sweep"], values)
        _insert_events(tx, pk, rows)
        return new

    return step


def _take(worker: str, now: float) -> Callable[[Written], list[Sweep]]:
    def step(tx: Written) -> list[Sweep]:
        taken = []
        for (id,) in tx.db.execute(SQL["sweeps_to_take"], (now,)).fetchall():
            tx.db.execute(SQL["take_sweep"], (worker, id))
            found = _find(tx, id)
            assert found is not None
            taken.append(found[1])
        return taken

    return step


# -- the store ------------------------------------------------------------------------------------------


class SQLiteSweeps(SweepStore):
    """The part of the store that keeps sweeps."""

    @property
    @abstractmethod
    def _writer(self) -> Writer: ...

    @property
    @abstractmethod
    def _reader(self) -> Reader: ...

    async def create_sweep(self, new: NewSweep) -> CreatedSweep | Conflict:
        return await self._step(_create(new))

    async def expand(
        self,
        id: str,
        start: int,
        stop: int,
        new: Sequence[NewActivity],
        refusals: Sequence[SweepEvent],
    ) -> Sweep | Conflict:
        refused = stop - start - len(new)
        return await self._step(_expand(id, start, stop, new, refusals, refused))

    async def change_sweep(self, sweep: Sweep, events: Sequence[SweepEvent]) -> Sweep | Conflict:
        return await self._step(_change(sweep, events))

    async def take_sweeps(self, worker: str, now: float) -> list[Sweep]:
        return await self._step(_take(worker, now))

    async def remove_sweep(self, id: str) -> None:
        await self._writer.submit([operations.statement("delete_sweep", (id,))])

    async def _step(self, step: Callable[[Written], T | Failed]) -> T:
        (answer,) = await self._writer.submit([step])
        made: T = answer
        return made

    async def sweep(self, id: str) -> Sweep | None:
        rows = await self._reader.rows(SQL["select_sweep"], (id,))
        return _read(rows[0]) if rows else None

    async def sweep_document(self, id: str) -> SweepDocument | None:
        rows = await self._reader.rows(SQL["select_sweep_document"], (id,))
        return SweepDocument(rows[0][0], bool(rows[0][1]), rows[0][2]) if rows else None

    async def sweep_page(self, query: SweepQuery) -> tuple[list[Sweep], str | None]:
        if query.limit < 1:
            raise ValueError(f"a page holds at least one sweep, not {query.limit}")
        states = json_text([state.value for state in query.states]) if query.states else None
        name = "sweeps_of_all" if query.owner is None else "sweeps_of_owner"
        rows = await self._reader.rows(SQL[name], (query.owner, query.after or _HIGHEST, states, query.limit + 1))
        page = [_read(row) for row in rows[: query.limit]]
        return page, page[-1].id if len(rows) > query.limit else None

    async def sweep_states(self, id: str) -> dict[str, int]:
        return dict(await self._reader.rows(SQL["states_of_sweep"], (id, _OPEN)))

    async def sweep_events(self, id: str, *, after: int = 0, limit: int = 1000) -> list[SweepEvent]:
        rows = await self._reader.rows(SQL["events_of_sweep"], (id, after, limit))
        return [
            SweepEvent(sweep, time, kind, SweepState(state), message, by, job, seq)
            for sweep, time, kind, state, message, by, job, seq in rows
        ]

    async def expired_sweeps(self, now: float, limit: int) -> list[str]:
        return [row[0] for row in await self._reader.rows(SQL["expired_sweeps"], (now, limit))]
