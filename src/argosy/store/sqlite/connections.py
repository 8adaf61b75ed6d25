"""Opening the database file: for the writer, and for readers."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

from argosy.store.administration import StoreTrouble

from .migrations import SchemaError, known, migrate

#: How long another process may keep the file locked before an operation gives up, in seconds.
BUSY_TIMEOUT = 10.0
#: Pages of the write-ahead log after which its content is moved to the database; moving them costs two flushes.
_CHECKPOINT_PAGES = 4000
_LOG_BYTES = 64 << 20
#: Between two attempts to open a database that others are opening, in seconds.
_AGAIN = 0.01


def make_file(path: Path) -> None:
    """Make the file, and its directory, for this user alone where they are not there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Not open(): closing a file releases all the locks that this process has on it, SQLite's too.
        os.mknod(path, 0o600 | stat.S_IFREG)
    except FileExistsError:
        return


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes, its schema up to date. Raises SchemaError, sqlite3.OperationalError."""
    if sqlite3.sqlite_version_info < (3, 38):
        raise SchemaError(f"SQLite {sqlite3.sqlite_version} is too old; Argosy's store needs 3.38 or newer")
    make_file(path)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, cached_statements=256)
    try:
        _write_ahead(db, path)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA cache_size = -65536")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        migrate(db, str(path), known())
    except BaseException:
        db.close()
        raise
    return db


def _write_ahead(db: sqlite3.Connection, path: Path) -> None:
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # Of several that make it so at once SQLite refuses some without waiting: each would wait for the other.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN)
    if mode != "wal":
        raise SchemaError(
            f"{path} is on a file system without shared memory (journal mode {mode}); put the store on a local disk"
        )


def open_reader(path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """A connection that only reads. It may be handed from thread to thread, one at a time."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        db.execute("PRAGMA query_only = ON")
        db.execute("PRAGMA cache_size = -16384")
        db.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        db.close()
        raise
    return db


def is_trouble(error: Exception) -> bool:
    """Whether it is about the database's file, its disk or its locks, and not about what was asked of it."""
    # Plain DatabaseError: the file is damaged, or no database any more.
    return isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError)) or type(error) is sqlite3.DatabaseError


def lasting(before: StoreTrouble | None, words: str) -> StoreTrouble:
    """Trouble, which began with what was there before."""
    return StoreTrouble(time.time() if before is None else before.since, words)
