"""The store's part about notifications: reading, and asking the writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from argosy.store.notifications import Delivery, NotificationStore, Subscription

from . import outbox
from .listing import HIGHEST
from .operations import statement
from .queries import SQL
from .reader import Reader
from .rows import json_text
from .secrets import Secrets
from .writer import Writer

OutboxListener = Callable[[frozenset[str]], None]

#: How much one tidying removes of each kind; the next goes on.
_AT_ONCE = 10_000


class SQLiteNotifications(NotificationStore):
    """A mix-in: the store that it is mixed into has the writer and the reader."""

    _outbox_listeners: list[OutboxListener]
    _secrets: Secrets

    @property
    def _writer(self) -> Writer:
        raise NotImplementedError

    @property
    def _reader(self) -> Reader:
        raise NotImplementedError

    async def add_subscription(self, new: Subscription, most: int) -> None:
        await self._writer.submit([outbox.add(new, most)])

    async def subscriptions(
        self, owner: str, *, activity: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Subscription]:
        below = HIGHEST if after is None else after
        if activity is None:
            rows = await self._reader.rows(SQL["subscriptions_of_owner"], (owner, below, limit))
        else:
            rows = await self._reader.rows(SQL["subscriptions_of_activity"], (activity, owner, below, limit))
        return [outbox.read_subscription(row, self._secrets) for row in rows]

    async def remove_subscription(self, owner: str, id: str) -> bool:
        (removed,) = await self._writer.submit([outbox.remove(owner, id)])
        return bool(removed)

    async def rotate_secret(
        self, owner: str, id: str, secret: str, now: float, *, until: float, most: int
    ) -> Subscription:
        (rotated,) = await self._writer.submit([outbox.rotate(owner, id, secret, now, until, most)])
        assert isinstance(rotated, Subscription)
        return rotated

    async def end_subscription(self, id: str, now: float, why: str) -> None:
        await self._writer.submit([outbox.end(id, now, why)])

    async def sealed_out(self) -> int:
        prefixes = json_text(list(self._secrets.prefixes()))
        return int((await self._reader.rows(SQL["count_sealed_out"], (prefixes,)))[0][0])

    async def waiting(self) -> list[str]:
        return [host for (host,) in await self._reader.rows(SQL["hosts_waiting"])]

    async def next_due(self, host: str, now: float) -> float | None:
        ((due,),) = await self._reader.rows(SQL["next_due"], (host, now))
        return None if due is None else float(due)

    async def due(self, host: str, now: float, limit: int) -> list[Delivery]:
        rows = await self._reader.rows(SQL["deliveries_due"], (host, now, limit))
        good, bad = outbox.read_deliveries(rows, self._secrets)
        for number in bad:  # it must not keep those behind it
            await self.give_up(number, now, "it was recorded by another version of the service, and cannot be read")
        return good

    async def shift_due(self, by: float) -> None:
        await self._writer.submit([statement("shift_due", (by,))])

    async def delivered(self, number: int) -> None:
        await self._writer.submit([outbox.delivered(number)])

    async def put_off(self, number: int, due: float, words: str) -> None:
        await self._writer.submit([statement("put_off_delivery", (number, due, words))])

    async def give_up(self, number: int, now: float, words: str) -> None:
        await self._writer.submit([outbox.give_up(number, now, words)])

    async def dead_letters(self, owner: str, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        rows = await self._reader.rows(SQL["dead_letters"], (owner, after, limit))
        return outbox.read_deliveries(rows, self._secrets)[0]

    async def resend(self, owner: str, numbers: Sequence[int], now: float) -> list[bool]:
        return list(await self._writer.submit([outbox.resend(owner, number, now) for number in numbers]))

    async def trim_outbox(self, now: float, *, before: float, most_dead: int, most_waiting: int) -> None:
        crowded = await self._reader.rows(SQL["subscriptions_with_many_waiting"], (most_waiting,))
        words = f"more than {most_waiting} messages were waiting for this subscription"
        steps = [outbox.bury(pk, min(count - most_waiting, _AT_ONCE), now, words) for pk, count in crowded]
        steps.append(statement("delete_old_dead", (before, _AT_ONCE)))
        for owner, count in await self._reader.rows(SQL["owners_with_many_dead"], (most_dead,)):
            steps.append(statement("delete_oldest_dead", (owner, min(count - most_dead, _AT_ONCE))))
        steps.append(statement("delete_ended_subscriptions", (before, _AT_ONCE)))
        await self._writer.submit(steps)

    def on_outbox(self, listener: OutboxListener) -> Callable[[], None]:
        self._outbox_listeners.append(listener)

        def forget() -> None:
            if listener in self._outbox_listeners:
                self._outbox_listeners.remove(listener)

        return forget
