"""Durable records."""

from .contract import Store
from .records import Activity, Change, Chore, Created, Event, NewActivity, Query

__all__ = ["Activity", "Change", "Chore", "Created", "Event", "NewActivity", "Query", "Store"]
