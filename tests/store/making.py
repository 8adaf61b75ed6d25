"""Records to test with."""

from __future__ import annotations

import itertools
from typing import Any

from argosy.model import ActivityState
from argosy.store import Activity, Change, Event, NewActivity

_numbers = itertools.count(1)
PENDING = ActivityState.PENDING


def activity(id: str | None = None, owner: str = "alice", **fields: Any) -> Activity:
    number = next(_numbers)
    made: dict[str, Any] = {"state": PENDING, "version": 1, "created": 1000.0 + number, "changed": 1000.0 + number}
    return Activity(id=id or f"a{number:09d}", owner=owner, **made | fields)


def event(of: Activity, kind: str = "state", **fields: Any) -> Event:
    return Event(activity=of.id, time=of.changed, kind=kind, state=of.state, **fields)


def new(of: Activity | None = None, description: bytes = b"{}", **fields: Any) -> NewActivity:
    of = of or activity()
    return NewActivity(activity=of, description=description, events=(event(of),), **fields)


def change(of: Activity, **fields: Any) -> Change:
    after = of.but(**fields)
    return Change(after, (event(after),))
