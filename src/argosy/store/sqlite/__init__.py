"""The store in one SQLite file: a writer thread with group commit, and readers beside it."""

from .migrations import SchemaError
from .store import SQLiteStore

__all__ = ["SQLiteStore", "SchemaError"]
