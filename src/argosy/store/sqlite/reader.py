"""Reading beside the writer: a few threads, each with a connection of its own.

In WAL mode readers wait for nobody, and a read that begins after a commit sees it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from argosy.model import Unavailable
from argosy.store.administration import StoreTrouble

from .connections import is_trouble, lasting, open_reader

T = TypeVar("T")

_THREADS = 3


class Reader:
    """The reading connections of one database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # For reads of a few rows by key, in the event loop: going to a thread and back costs many times the read.
        # It waits for no lock.
        self._at_once = open_reader(path, busy_timeout=0.0)
        self._connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        #: Why the last read failed; None where it did not. Written by the threads, read by anybody.
        self.trouble: StoreTrouble | None = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="argosy-store-reader")

    async def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run `read` in a thread. Raises Unavailable where the database cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_thread, read)

    async def rows(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        return await self.run(lambda db: db.execute(sql, values).fetchall())

    def row_at_once(self, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """One row by its key, without leaving the event loop. Raises sqlite3.DatabaseError where it cannot be
        read so, or would wait."""
        row: tuple[Any, ...] | None = self._at_once.execute(sql, values).fetchone()
        return row

    async def close(self) -> None:
        """Finish what is being read, and close."""
        await asyncio.to_thread(self._pool.shutdown)
        self._at_once.close()
        for db in self._connections:
            db.close()

    def _in_thread(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            db: sqlite3.Connection | None = getattr(self._local, "db", None)
            if db is None:
                db = self._local.db = open_reader(self._path)
                self._connections.append(db)
            found = read(db)
        except sqlite3.Error as error:
            if not is_trouble(error):
                raise
            self.trouble = lasting(self.trouble, f"nothing can be read: {error}")
            raise Unavailable(f"the store's database cannot be read: {error}; look at its disk, then ask again") from (
                error
            )
        self.trouble = None
        return found
