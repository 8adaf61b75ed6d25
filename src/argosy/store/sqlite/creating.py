"""New activities, those of a vector together: a few statements for many rows, however many there are.

A statement with many rows is one call into SQLite, which lets the event loop go on meanwhile; a call for each row would
wait each time until the loop gives the interpreter back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from argosy.model import Conflict
from argosy.store.records import Activity, Created, Event, NewActivity

from . import outbox
from .queries import SQL
from .rows import activity_row, event_row, json_text, read_activity, storable
from .writer import Step, Written

#: The most rows of one statement: SQLite takes 32766 values, and a row of `activity` has 15.
_ROWS = 256


class _Draft(NamedTuple):
    """A new activity with its rows."""

    new: NewActivity
    row: tuple[Any, ...]
    events: list[tuple[Any, ...]]


def create(new: Sequence[NewActivity]) -> Step:
    """Record new activities, or find the ones that their keys stand for; all of them in the order given, or none.

    The step raises ValueError where an id is used already.
    """
    drafts = [_Draft(one, storable(activity_row(one.activity)), event_rows(one.activity, one.events)) for one in new]
    storable(tuple(one.key for one in new if one.key is not None))

    def step(tx: Written) -> list[Created | Conflict]:
        if len(drafts) > 1 and _any_known(tx, new):
            return [answer for draft in drafts for answer in _create(tx, [draft])]
        return _create(tx, drafts)

    return step


def _create(tx: Written, drafts: Sequence[_Draft]) -> list[Created | Conflict]:
    """Record one, or several whose keys are all new."""
    fresh = _with_their_keys(tx, drafts)
    if fresh:
        _insert(tx, fresh)
    if len(fresh) == len(drafts):
        return [Created(draft.new.activity, subscriptions=draft.new.subscriptions) for draft in drafts]
    made = {draft.new.activity.id for draft in fresh}
    return [
        Created(one.activity, subscriptions=one.subscriptions) if one.activity.id in made else _repeated(tx, one)
        for one in (draft.new for draft in drafts)
    ]


def event_rows(activity: Activity, events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """The events of an activity as rows. Raises ValueError for those of another, InvalidInput for what is no text."""
    for event in events:
        if event.activity != activity.id:
            raise ValueError(f"an event of activity {event.activity} cannot be recorded with activity {activity.id}")
    return [storable(event_row(event, activity.owner)) for event in events]


def insert_tags(tx: Written, pk: int, activity: Activity) -> None:
    """Record the tags of an activity for searches."""
    _insert_rows(tx.db, "insert_tag", _tag_rows(pk, activity))


def record_events(
    tx: Written, made: Sequence[tuple[int, Activity, Sequence[Event], Sequence[tuple[Any, ...]]]]
) -> None:
    """Record the events of activities, each with its number in the table and its rows, and tell of them."""
    seq = _insert_rows(tx.db, "insert_event", [(pk, *row) for pk, _, _, rows in made for row in rows])
    for _, activity, events, _ in made:
        if not events:
            continue
        recorded = []
        for event in events:
            recorded.append(
                Event(event.activity, event.time, event.kind, event.state, event.message, event.by, event.detail, seq)
            )
            seq += 1
        tx.events += recorded
        tx.records[activity.id] = activity
        if activity.owner in tx.audience.owners:
            outbox.tell(tx, activity, recorded)


def _insert(tx: Written, drafts: Sequence[_Draft]) -> None:
    try:
        first = _insert_rows(tx.db, "insert_activity", [draft.row for draft in drafts])
    except sqlite3.IntegrityError as error:
        named = " or ".join(dict.fromkeys(draft.new.activity.id for draft in (drafts[0], drafts[-1])))
        raise ValueError(f"there is an activity {named} already, or its columns do not fit") from error
    numbered = [(pk, draft.new) for pk, draft in enumerate(drafts, first)]
    _insert_rows(tx.db, "insert_description", [(pk, one.description) for pk, one in numbered])
    _insert_rows(tx.db, "insert_tag", [row for pk, one in numbered for row in _tag_rows(pk, one.activity)])
    for _, one in numbered:
        if one.subscriptions:
            outbox.add_with(tx, one.subscriptions)
    record_events(
        tx, [(pk, one.activity, one.events, draft.events) for (pk, one), draft in zip(numbered, drafts, strict=True)]
    )


def _tag_rows(pk: int, activity: Activity) -> list[tuple[Any, ...]]:
    return [(pk, key, value, activity.owner, activity.id) for key, value in activity.tags.items()]


def _insert_rows(db: sqlite3.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows; the number that the first of them has got, 0 where there are none.

    SQLite numbers the rows of one transaction one after the other where nothing else is inserted between them.
    """
    if len(rows) == 1:
        last = db.execute(SQL[name], rows[0]).lastrowid
    else:
        last = None
        for begin, size in _parts(len(rows)):
            values = list(chain.from_iterable(rows[begin : begin + size]))
            last = db.execute(_with_rows(name, size), values).lastrowid
    return 0 if last is None else last - len(rows) + 1


def _parts(count: int) -> Iterator[tuple[int, int]]:
    """Where each statement's rows begin, and how many they are: few different sizes, so that each is compiled once."""
    begin = 0
    while begin < count:
        size = _ROWS if count - begin >= _ROWS else 1 << (count - begin).bit_length() - 1
        yield begin, size
        begin += size


@cache
def _with_rows(name: str, count: int) -> str:
    """The statement `name` of one row, for so many."""
    head, values = SQL[name].rsplit("VALUES", 1)
    return f"{head}VALUES {', '.join([values.strip()] * count)}"


def _any_known(tx: Written, new: Sequence[NewActivity]) -> bool:
    """Whether a key of any of these is there already."""
    keys: dict[str, list[str]] = {}
    for one in new:
        if one.key is not None:
            keys.setdefault(one.activity.owner, []).append(one.key)
    return any(
        tx.db.execute(SQL["any_key"], (owner, json_text(theirs))).fetchone() is not None
        for owner, theirs in keys.items()
    )


def _with_their_keys(tx: Written, drafts: Sequence[_Draft]) -> Sequence[_Draft]:
    """Record the keys; those activities that have got theirs, or have none."""
    if len(drafts) == 1:
        (one,) = (draft.new for draft in drafts)
        row = (*_key_row(one), one.activity.created)
        return drafts if one.key is None or tx.db.execute(SQL["take_key"], row).rowcount else []
    seen: set[tuple[str, str]] = set()
    fresh, rows = [], []
    for draft in drafts:
        one = draft.new
        if one.key is not None:
            if (one.activity.owner, one.key) in seen:
                continue
            seen.add((one.activity.owner, one.key))
            rows.append(_key_row(one))
        fresh.append(draft)
    _insert_rows(tx.db, "insert_key", rows)
    return fresh


def _key_row(new: NewActivity) -> tuple[Any, ...]:
    return new.activity.owner, new.key, new.activity.id, new.digest, new.key_expires


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
