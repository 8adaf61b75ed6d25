"""Durable records."""

from .administration import Damaged, StoreFigures
from .contract import Store
from .notifications import Delivery, NotificationStore, Subscription
from .records import Activity, Change, Chore, Created, Event, NewActivity, Query, StoredCredential, Wish, activity_of
from .sweeps import CreatedSweep, NewSweep, Sweep, SweepDocument, SweepEvent, SweepQuery, SweepStore
from .usage import UsageQuery, UsageRecord, UsageStore, UsageSum

__all__ = [
    "Activity",
    "Change",
    "Chore",
    "Created",
    "CreatedSweep",
    "Damaged",
    "Delivery",
    "Event",
    "NewActivity",
    "NewSweep",
    "NotificationStore",
    "Query",
    "Store",
    "StoreFigures",
    "StoredCredential",
    "Subscription",
    "Sweep",
    "SweepDocument",
    "SweepEvent",
    "SweepQuery",
    "SweepStore",
    "UsageQuery",
    "UsageRecord",
    "UsageStore",
    "UsageSum",
    "Wish",
    "activity_of",
]
