"""Durable records."""

from .contract import Store
from .records import Activity, Change, Chore, Created, Event, NewActivity, Query, activity_of

__all__ = ["Activity", "Change", "Chore", "Created", "Event", "NewActivity", "Query", "Store", "activity_of"]
