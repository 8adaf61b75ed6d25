"""The secrets of subscriptions as they lie in the database: sealed, the newest and those that still sign beside it."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from argosy.model import ArgosyError, Unavailable
from argosy.store.notifications import OldSecret, Sealer, Subscription

from .queries import SQL

_SEALED = "sealed:"
_CLEAR = "clear:"
#: How many rows one transaction seals.
_AT_ONCE = 500


class _Kept(msgspec.Struct, array_like=True):
    secret: str
    older: list[tuple[str, float]] = []


_kept = msgspec.json.Decoder(_Kept)


class Secrets:
    """Writes and reads them. Without a `sealer` they lie in clear, which is for tests alone."""

    def __init__(self, sealer: Sealer | None = None) -> None:
        self._sealer = sealer

    @property
    def prefix(self) -> str:
        """What all begin with that need not be sealed again."""
        return _CLEAR if self._sealer is None else f"{_SEALED}{self._sealer.current}:"

    def prefixes(self) -> Iterator[str]:
        """What all begin with that can be opened."""
        yield _CLEAR
        if self._sealer is not None:
            yield from (f"{_SEALED}{name}:" for name in self._sealer.names)

    @property
    def names(self) -> list[str] | None:
        """The names of the keys that are there; None where nothing is sealed."""
        return None if self._sealer is None else list(self._sealer.names)

    def write(self, one: Subscription) -> str:
        """The text that is kept of a subscription's secrets."""
        content = msgspec.json.encode(_Kept(one.secret, [(old.secret, old.until) for old in one.older]))
        if self._sealer is None:
            return _CLEAR + content.decode()
        return self.prefix + base64.b64encode(self._sealer.seal(content, "subscription", one.id, one.owner)).decode()

    def read(self, text: str, id: str, owner: str) -> tuple[str, tuple[OldSecret, ...]]:
        """The secret, and the older ones. Raises Unavailable where they cannot be opened."""
        if text.startswith(_SEALED):
            content = self._open(text, id, owner)
        elif text.startswith(_CLEAR):
            content = text.removeprefix(_CLEAR).encode()
        else:  # as versions before 0009 wrote them
            return text, ()
        try:
            kept = _kept.decode(content)
        except msgspec.DecodeError:
            raise Unavailable(f"the secret of the subscription {id} cannot be read; rotate it") from None
        return kept.secret, tuple(OldSecret(*old) for old in kept.older)

    def _open(self, text: str, id: str, owner: str) -> bytes:
        if self._sealer is None:
            raise Unavailable(f"the secret of the subscription {id} is sealed, and the service has no key")
        try:
            sealed = base64.b64decode(text.rpartition(":")[2], validate=True)
            return self._sealer.open(sealed, "subscription", id, owner)
        except (ArgosyError, binascii.Error) as error:
            words = f"the secret of the subscription {id} cannot be opened: {error}; rotate it, or give the key back"
            raise Unavailable(words) from None


def seal_all(db: sqlite3.Connection, secrets: Secrets) -> int:
    """Seal, with the key that is used now, what lies in clear or under an older key. Answers how many there were.

    What cannot be opened stays: its key may come back.
    """
    sealed, last = 0, 0
    while rows := db.execute(SQL["secrets_to_seal"], (last, secrets.prefix, _AT_ONCE)).fetchall():
        last = rows[-1][0]
        with _transaction(db):
            sealed += sum(_seal(db, secrets, *row) for row in rows)
    if sealed:
        _forget(db)
    return sealed


def _seal(db: sqlite3.Connection, secrets: Secrets, pk: int, id: str, owner: str, text: str) -> bool:
    try:
        secret, older = secrets.read(text, id, owner)
    except Unavailable:
        return False
    whole = Subscription(id, owner, "", "", secret, 0.0, older=older)
    return db.execute(SQL["update_secret"], (pk, secrets.write(whole), text)).rowcount == 1


def _forget(db: sqlite3.Connection) -> None:
    """Leave nothing behind, in free space and in the log, of what the rows of the table were before.

    They go into fresh pages: what lies between the rows of a page SQLite overwrites only with the page.
    """
    db.execute("PRAGMA foreign_keys = OFF").fetchall()  # what waits in the outbox stays, and is theirs again
    db.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        with _transaction(db):
            for name in ("subscriptions_aside", "subscriptions_away", "subscriptions_back", "nothing_aside"):
                db.execute(SQL[name])
    finally:
        db.execute("PRAGMA secure_delete = OFF").fetchall()
        db.execute("PRAGMA foreign_keys = ON").fetchall()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
