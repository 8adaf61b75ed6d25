"""Notifications in SQLite: what the writer does about them inside its transactions.

Whether anybody wants to be told is known without a look into the database: `Audience` has the owners of subscriptions
in memory, and looks again only where another process has written.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from argosy.model import LimitExceeded, NotFound, Unavailable
from argosy.store.notifications import Delivery, OldSecret, Subscription
from argosy.store.records import Activity, Event

from .queries import SQL
from .rows import json_text, storable
from .secrets import Secrets

if TYPE_CHECKING:
    from .writer import Step, Written


class Audience:
    """The owners who may have subscriptions. It may name some who have none any more, and lacks nobody.

    `secrets` writes and reads those of the subscriptions.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self.owners: set[str] = set()
        self.secrets = secrets or Secrets()
        self._seen: int | None = None

    def look(self, db: sqlite3.Connection) -> None:
        """To be called within each transaction before anything else; reads where somebody else has written."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._seen:
            self.owners.update(owner for (owner,) in db.execute(SQL["subscribed_owners"]))
            self._seen = version


class _Body(msgspec.Struct, omit_defaults=True):
    url: str
    created: float
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    resource: str | None = None
    name: str | None = None
    why: str | None = None
    older_until: float | None = None


class _Payload(msgspec.Struct):
    """What is kept of an event that is to be told of."""

    event: Event
    activity: Activity


_BODY = _Body.__struct_fields__
_log = logging.getLogger(__name__)
_body = msgspec.json.Decoder(_Body)
_payload = msgspec.json.Decoder(_Payload)


def subscription_row(one: Subscription, secrets: Secrets) -> tuple[Any, ...]:
    """The values of `insert_subscription`."""
    return storable((one.id, one.owner, one.activity, one.host, secrets.write(one), one.ended, _body_of(one)))


def _body_of(one: Subscription) -> str:
    return json_text(_Body(*[getattr(one, name) for name in _BODY]))


def read_subscription(row: tuple[Any, ...], secrets: Secrets | None = None) -> Subscription:
    """The record of a row of `subscriptions_of_…`; without its secret where there is nothing to read it with."""
    id, owner, activity, host, sealed, ended, text = row
    body = _body.decode(text)
    more = {name: getattr(body, name) for name in _BODY}
    secret, older, _ = _opened(secrets, sealed, id, owner)
    return Subscription(
        id=id, owner=owner, activity=activity, host=host, secret=secret, ended=ended, older=older, **more
    )


def _opened(secrets: Secrets | None, sealed: str, id: str, owner: str) -> tuple[str, tuple[OldSecret, ...], str | None]:
    if secrets is None:
        return "", (), None
    try:
        return *secrets.read(sealed, id, owner), None
    except Unavailable as error:
        return "", (), error.message


def read_delivery(row: tuple[Any, ...], secrets: Secrets) -> Delivery:
    """The record of a row of `deliveries_due` or `dead_letters`."""
    number, subscription, url, sealed, owner, host, created, due, attempts, words, died, _, payload = row
    kept = _payload.decode(payload)
    secret, older, unsigned = _opened(secrets, sealed, subscription, owner)
    return Delivery(
        number,
        subscription,
        url,
        secret,
        owner,
        host,
        kept.event,
        kept.activity,
        created,
        due,
        attempts,
        words,
        died,
        older,
        unsigned,
    )


def read_deliveries(rows: Sequence[tuple[Any, ...]], secrets: Secrets) -> tuple[list[Delivery], list[int]]:
    """The records of rows, and the numbers of those that cannot be read."""
    good, bad = [], []
    for row in rows:
        try:
            good.append(read_delivery(row, secrets))
        except msgspec.DecodeError as error:
            _log.error("the message %d of the outbox cannot be read: %s", row[0], error)
            bad.append(int(row[0]))
    return good, bad


def add(new: Subscription, most: int) -> Step:
    """Record a subscription."""

    def step(tx: Written) -> object:
        from .writer import Failed

        if new.activity is not None:
            found = tx.db.execute(SQL["select_for_change"], (new.activity,)).fetchone()
            if found is None or found[1] != new.owner:
                return Failed(NotFound(f"there is no activity {new.activity!r}"))
        (count,) = tx.db.execute(SQL["count_subscriptions"], (new.owner, new.activity)).fetchone()
        if count >= most:
            return Failed(LimitExceeded(f"there are {count} subscriptions already; the most are {most}: remove some"))
        tx.db.execute(SQL["insert_subscription"], subscription_row(new, tx.audience.secrets))
        tx.audience.owners.add(new.owner)
        return None

    return step


def add_with(tx: Written, subscriptions: Sequence[Subscription]) -> None:
    """Record the subscriptions that an activity is created with."""
    for one in subscriptions:
        tx.db.execute(SQL["insert_subscription"], subscription_row(one, tx.audience.secrets))
        tx.audience.owners.add(one.owner)


def tell(tx: Written, activity: Activity, events: Sequence[Event]) -> None:
    """Put events of one activity into the outbox, for those of its owner's subscriptions that they concern."""
    rows = tx.db.execute(SQL["subscriptions_to"], (activity.owner, activity.id)).fetchall()
    if not rows:
        return
    audience = [(pk, read_subscription(tuple(rest))) for pk, *rest in rows]
    for event in events:
        payload = None
        for pk, subscription in audience:
            if not subscription.concerns(activity, event):
                continue
            if payload is None:
                payload = json_text(_Payload(event, activity))
            values = (pk, activity.id, event.seq, activity.owner, subscription.host, activity.changed, payload)
            tx.db.execute(SQL["insert_delivery"], values)
            tx.hosts.add(subscription.host)


def purged(tx: Written, ids: str, now: float) -> None:
    """Their activities are gone; what was not delivered yet still will be."""
    tx.db.execute(SQL["delete_told_subscriptions"], (ids,))
    tx.db.execute(SQL["end_subscriptions_of"], (ids, now))


def remove(owner: str, id: str) -> Step:
    """Remove a subscription with what waits for it."""

    def step(tx: Written) -> bool:
        return bool(tx.db.execute(SQL["delete_subscription"], (id, owner)).rowcount)

    return step


def rotate(owner: str, id: str, secret: str, now: float, until: float, most: int) -> Step:
    """Give a subscription another secret."""

    def step(tx: Written) -> object:
        from .writer import Failed

        secrets = tx.audience.secrets
        found = tx.db.execute(SQL["subscription_of"], (id, owner)).fetchone()
        if found is None:
            return Failed(NotFound(f"there is no subscription {id!r}"))
        pk, *row = found
        old = read_subscription(tuple(row), secrets)
        older: tuple[OldSecret, ...] = ()
        if until > now and old.secret:
            older = (OldSecret(old.secret, until), *(one for one in old.older if one.until > now))
        if len(older) > most:
            return Failed(
                LimitExceeded(f"{most} older secrets still sign; wait, or rotate with an overlap of 0, which ends them")
            )
        new = replace(old, secret=secret, older=older, older_until=max((one.until for one in older), default=None))
        tx.db.execute(SQL["update_secret"], (pk, secrets.write(new), row[4]))
        tx.db.execute(SQL["update_subscription_body"], (pk, _body_of(new)))
        return new

    return step


def end(id: str, now: float, why: str) -> Step:
    """Tell it nothing more."""

    def step(tx: Written) -> None:
        tx.db.execute(SQL["end_subscription"], (id, now, why))
        tx.db.execute(SQL["drop_waiting"], (id,))

    return step


def delivered(number: int) -> Step:
    """It has arrived."""

    def step(tx: Written) -> None:
        line = tx.db.execute(SQL["line_of"], (number,)).fetchone()
        if line is not None:  # not removed meanwhile
            tx.db.execute(SQL["delete_delivery"], (number,))
            _next(tx, line)

    return step


def give_up(number: int, now: float, words: str) -> Step:
    """It is a dead letter."""

    def step(tx: Written) -> None:
        line = tx.db.execute(SQL["line_of"], (number,)).fetchone()
        if line is not None:
            tx.db.execute(SQL["bury_delivery"], (number, now, words))
            _next(tx, line)

    return step


def _next(tx: Written, line: tuple[int, str]) -> None:
    tx.hosts.update(host for (host,) in tx.db.execute(SQL["next_in_line"], line).fetchall())


def resend(owner: str, number: int, now: float) -> Step:
    """Try a dead letter again."""

    def step(tx: Written) -> bool:
        hosts = [host for (host,) in tx.db.execute(SQL["revive_delivery"], (number, owner, now)).fetchall()]
        tx.hosts.update(hosts)
        return bool(hosts)

    return step


def bury(subscription: int, count: int, now: float, words: str) -> Step:
    """Make dead letters of the oldest that wait for a subscription."""

    def step(tx: Written) -> None:
        # All of them first, and their lines after that: each would let the next go, which is buried as well.
        lines = set()
        for number, activity in tx.db.execute(SQL["oldest_waiting"], (subscription, count)).fetchall():
            tx.db.execute(SQL["bury_delivery"], (number, now, words))
            lines.add((subscription, activity))
        for line in lines:
            _next(tx, line)

    return step
