"""What the writer does inside its transactions: one function for each way to write.

A function that makes a `Step` turns values into rows beforehand, so that what cannot be recorded fails where it was
asked for. A step answers with a value, or with `Failed` before it has written anything.
"""

from __future__ import annotations

import heapq
import sqlite3
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from argosy.model import Conflict
from argosy.model.activity import RESTARTED, may_follow, may_restart
from argosy.store.records import Activity, Change, Created, Event, NewActivity

from . import ledger, outbox
from .counts import count_ended
from .queries import SQL
from .rows import activity_row, event_row, json_text, read_activity, rest_text, state_of, storable, tags_text
from .writer import Failed, Step, Written

_INSERT_EVENT = SQL["insert_event"]
_SELECT_FOR_CHANGE = SQL["select_for_change"]
#: How many expired keys one step removes; the next call goes on.
_KEYS_AT_ONCE = 10_000


def create(new: NewActivity) -> Step:
    """Record a new activity, or find the one that its key stands for."""
    activity = new.activity
    row = storable(activity_row(activity))
    storable((new.key,))
    events = _event_rows(activity, new.events)
    tags = list(activity.tags.items())

    def step(tx: Written) -> Created | Conflict:
        if new.key is not None:
            key_row = (activity.owner, new.key, activity.id, new.digest, new.key_expires, activity.created)
            if not tx.db.execute(SQL["insert_key"], key_row).rowcount:
                return _repeated(tx, new)
        try:
            pk = tx.db.execute(SQL["insert_activity"], row).lastrowid
        except sqlite3.IntegrityError as error:
            raise ValueError(f"there is an activity {activity.id} already, or its columns do not fit") from error
        assert pk is not None
        tx.db.execute(SQL["insert_description"], (pk, new.description))
        if tags:
            _insert_tags(tx, pk, activity)
        if new.subscriptions:
            outbox.add_with(tx, new.subscriptions)
        _record(tx, pk, activity, new.events, events)
        return Created(activity, subscriptions=new.subscriptions)

    return step


def _repeated(tx: Written, new: NewActivity) -> Created | Conflict:
    first, digest = tx.db.execute(SQL["select_key"], (new.activity.owner, new.key)).fetchone()
    if digest != new.digest:
        return Conflict(
            f"the submission id {new.key!r} was used for another request, that of activity {first}; choose a new one",
            element="key",
        )
    found = tx.db.execute(SQL["select_activity"], (first,)).fetchone()
    if found is None:
        return Conflict(
            f"the submission id {new.key!r} was used for activity {first}, which has ended and was purged; "
            "to run it once more choose a new one",
            element="key",
        )
    return Created(read_activity(found), existed=True)


def change(asked: Change) -> Step:
    """Record a change, if it was decided on what is recorded now and the state may follow."""
    activity = asked.activity
    new = activity.but(version=activity.version + 1)
    events = _event_rows(new, asked.events)
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
            _insert_tags(tx, pk, new)
        if new.state.final and not state_of(state).final:
            ledger.enter(tx, new)
        _record(tx, pk, new, asked.events, events)
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


def _event_rows(activity: Activity, events: Sequence[Event]) -> list[tuple[Any, ...]]:
    for event in events:
        if event.activity != activity.id:
            raise ValueError(f"an event of activity {event.activity} cannot be recorded with activity {activity.id}")
    return [storable(event_row(event, activity.owner)) for event in events]


def _insert_tags(tx: Written, pk: int, activity: Activity) -> None:
    rows = [(pk, key, value, activity.owner, activity.id) for key, value in activity.tags.items()]
    tx.db.executemany(SQL["insert_tag"], rows)


def _record(tx: Written, pk: int, activity: Activity, events: Sequence[Event], rows: Sequence[tuple[Any, ...]]) -> None:
    recorded = []
    for event, row in zip(events, rows, strict=True):
        seq = tx.db.execute(_INSERT_EVENT, (pk, *row)).lastrowid
        assert seq is not None
        recorded.append(
            Event(event.activity, event.time, event.kind, event.state, event.message, event.by, event.detail, seq)
        )
    if events:
        tx.events += recorded
        tx.records[activity.id] = activity
        if activity.owner in tx.audience.owners:
            outbox.tell(tx, activity, recorded)
