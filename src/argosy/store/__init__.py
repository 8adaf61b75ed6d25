"""Durable records."""

from .contract import Store
from .records import Activity, Change, Chore, Created, Event, NewActivity, Query, Wish, activity_of
from .sweeps import CreatedSweep, NewSweep, Sweep, SweepDocument, SweepEvent, SweepQuery, SweepStore

__all__ = [
    "Activity",
    "Change",
    "Chore",
    "Created",
    "CreatedSweep",
    "Event",
    "NewActivity",
    "NewSweep",
    "Query",
    "Store",
    "Sweep",
    "SweepDocument",
    "SweepEvent",
    "SweepQuery",
    "SweepStore",
    "Wish",
    "activity_of",
]
