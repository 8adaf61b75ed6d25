"""What the writer does inside its transactions: one function for each way to write.

A function that makes a `Step` turns values into rows beforehand, so that what cannot be recorded fails where it was
asked for. A step answers with a value, or with `Failed` before it has written anything.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from argosy.model import Conflict
from argosy.model.activity import RESTARTED, may_follow, may_restart
from argosy.store.records import Activity, Change

from . import ledger, outbox
from .counts import count_ended
from .creating import event_rows, insert_tags, record_events
from .queries import SQL
from .rows import json_text, read_activity, rest_text, state_of, storable, tags_text
from .writer import Failed, Step, Written

_SELECT_FOR_CHANGE = SQL["select_for_change"]
#: How many expired keys one step removes; the next call goes on.
_KEYS_AT_ONCE = 10_000


def change(asked: Change) -> Step:
    """Record a change, if it was decided on what is recorded now and the state may follow."""
    activity = asked.activity
    new = activity.but(version=activity.version + 1)
    events = event_rows(new, asked.events)
    storable((new.name, new.resource, new.native_id, new.worker))
    rest, tags = rest_text(new), tags_text(new)

    def step(tx: Written) -> Activity | Conflict | Failed:
        found = tx.db.execute(_SELECT_FOR_CHANGE, (new.id,)).fetchone()
        if found is None:
            return Conflict(f"activity {new.id} is not there any more", element="id")
        pk, owner, state, version, created, name, resource, native_id, expires, worker, old_tags, sweep = found
        if version != activity.version:
            return Conflict(
                f"activity {new.id} has changed meanwhile: it is at version {version}, this was decided on version "
                f"{activity.version}; read it again",
                element="version",
            )
        path = [(state_of(state), ""), *((event.state, event.kind) for event in asked.events), (new.state, "")]
        for (before, _), (after, kind) in pairwise(path):
            allowed = may_restart if kind == RESTARTED else may_follow
            if before is not after and not allowed(before, after):
                return Failed(ValueError(f"activity {new.id} cannot go from {before} to {after}"))
        if owner != new.owner or created != new.created:
            return Failed(ValueError(f"the owner and the time of creation of activity {new.id} cannot change"))
        if sweep is not None and state != new.state:
            # One that is started again has been counted as ended.
            ended = tx.db.execute(SQL["select_activity"], (new.id,)).fetchone() if state_of(state).final else None
            count_ended(tx, sweep, None if ended is None else read_activity(ended), new)
        # Naming a column costs its indexes, changed or not.
        columns: dict[str, Any] = {"version": new.version, "changed": new.changed, "rest": rest}
        if state != new.state:
            columns |= {"state": new.state.value, "final": int(new.state.final)}
        for column, old, value in (
            ("name", name, new.name),
            ("resource", resource, new.resource),
            ("native_id", native_id, new.native_id),
            ("expires", expires, new.expires),
            ("worker", worker, new.worker),
            ("tags", old_tags, tags),
        ):
            if old != value:
                columns[column] = value
        tx.db.execute(_update(tuple(columns)), (*columns.values(), pk))
        if old_tags != tags:
            tx.db.execute(SQL["delete_tags"], (pk,))
            insert_tags(tx, pk, new)
        if new.state.final and not state_of(state).final:
            ledger.enter(tx, new)
        record_events(tx, [(pk, new, asked.events, events)])
        return new

    return step


_updates: dict[tuple[str, ...], str] = {}


def _update(columns: tuple[str, ...]) -> str:
    text = _updates.get(columns)
    if text is None:
        # The columns are the fixed names above, never a caller's.
        text = f"UPDATE activity SET {', '.join(f'{name} = ?' for name in columns)} WHERE pk = ?"  # noqa: S608
        _updates[columns] = text
    return text


def purge(ids: Sequence[str], chores: Sequence[tuple[str, dict[str, object]]]) -> Step:
    """Remove activities, and add what is to be done after them; nothing of it where one has not ended."""
    listed = json_text(list(ids))
    rows = [storable((kind, json_text(payload))) for kind, payload in chores]

    def step(tx: Written) -> Failed | None:
        unfinished = tx.db.execute(SQL["first_unfinished"], (listed,)).fetchone()
        if unfinished is not None:
            return Failed(Conflict(f"activity {unfinished[0]} has not ended, or was restarted meanwhile", element="id"))
        tx.db.execute(SQL["delete_activities"], (listed,))
        outbox.purged(tx, listed, time.time())
        tx.db.executemany(SQL["insert_chore"], rows)
        return None

    return step


def take(worker: str, now: float, limit: int) -> Step:
    """Put unfinished activities that no living worker has into this worker's hands.

    Their version grows: what another worker decided about them before is refused.
    """

    def step(tx: Written) -> list[Activity]:
        absent = [name for (name,) in tx.db.execute(SQL["absent_workers"], (now,))]
        found = [
            [row[0] for row in tx.db.execute(SQL["select_in_hand"], (holder, limit))] for holder in (None, *absent)
        ]
        taken = []
        for oldest in list(heapq.merge(*found))[:limit]:
            tx.db.execute(SQL["take"], (worker, oldest))
            taken.append(read_activity(tx.db.execute(SQL["select_activity"], (oldest,)).fetchone()))
        return taken

    return step


def remove_expired_keys(now: float) -> Step:
    """Remove the keys that nobody can repeat any more."""
    return statement("delete_expired_keys", (now, _KEYS_AT_ONCE))


def statement(name: str, values: tuple[Any, ...]) -> Step:
    """Run one query that answers nothing."""

    def step(tx: Written) -> None:
        tx.db.execute(SQL[name], values)

    return step


def counted(name: str, values: tuple[Any, ...]) -> Step:
    """Run one query that answers how many rows it has changed."""
    storable(values)

    def step(tx: Written) -> int:
        return tx.db.execute(SQL[name], values).rowcount

    return step
