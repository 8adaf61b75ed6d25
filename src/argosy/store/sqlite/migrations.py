"""Bringing a database's schema up to date: numbered files, each applied once, in order, in one transaction."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from argosy.model import ArgosyError

_FILE = re.compile(r"(\d{4})_\w+\.sql\Z")
_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied TEXT NOT NULL
) STRICT
"""


class SchemaError(ArgosyError):
    """The database is not one that this version of Argosy can serve from."""

    code = "schema"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. `name` is its file's."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self) -> Iterator[str]:
        """The text's statements one by one: `executescript` would commit after each."""
        statement = ""
        for line in self.text.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""


def known() -> list[Migration]:
    """The migrations of this version, in order."""
    folder = files("argosy.store").joinpath("sql", "sqlite")
    found = [
        Migration(int(match[1]), entry.name, entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _FILE.match(entry.name))
    ]
    return sorted(found, key=lambda migration: migration.number)


def migrate(db: sqlite3.Connection, path: str, migrations: Sequence[Migration]) -> None:
    """Apply what is missing. Safe where two processes do it at once: whoever comes second finds it done.

    Raises SchemaError where the database is newer than this version, was made by other migrations, or is not Argosy's.
    """
    while True:
        db.execute("BEGIN IMMEDIATE")
        try:
            missing = _missing(db, path, migrations)
            if missing:
                _apply(db, missing[0])
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # some errors (disk full, ...) make SQLite roll back by itself
                db.execute("ROLLBACK")
            raise
        if len(missing) <= 1:
            return


def _missing(db: sqlite3.Connection, path: str, migrations: Sequence[Migration]) -> list[Migration]:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if tables and "migration" not in tables:
        raise SchemaError(f"{path} is a database of some other program; name another file for the store")
    db.execute(_TABLE)
    by_number = {migration.number: migration for migration in migrations}
    applied = set()
    for number, name, checksum in db.execute("SELECT number, name, checksum FROM migration ORDER BY number"):
        mine = by_number.get(number)
        if mine is None:
            raise SchemaError(
                f"{path} was made by a newer version of Argosy (its schema has {name}, this version ends with "
                f"{migrations[-1].name}); upgrade Argosy, or restore the copy made before the upgrade"
            )
        if mine.checksum != checksum:
            raise SchemaError(
                f"{path} was made with another {name} than this version of Argosy has; use the version that made it"
            )
        applied.add(number)
    return [migration for migration in migrations if migration.number not in applied]


def _apply(db: sqlite3.Connection, migration: Migration) -> None:
    for statement in migration.statements():
        db.execute(statement)
    db.execute(
        "INSERT INTO migration (number, name, checksum, applied) VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%SZ'))",
        (migration.number, migration.name, migration.checksum),
    )
