"""Sends what is in the outbox, until it has arrived, is given up, or the receiver wants nothing more.

Each host has a courier of its own, with a few messages under way at once; of one subscription and activity there is
never more than one. A host that cannot be reached is tried with one message, after a pause that grows; nobody else
waits for it. What is under way when the service ends is sent again by the next one, under the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from argosy.executors.tasks import Tasks, over_and_over, tell
from argosy.model import ArgosyError
from argosy.model import clock as clocks
from argosy.outbound import OutboundPolicy, client
from argosy.store import Delivery, Store

from . import judging, message
from .judging import EXCERPT, Answer, Fate
from .settings import NotificationConfig

log = logging.getLogger(__name__)

#: The longest that a courier sleeps, in seconds: clocks are set now and then.
_NAP = 60.0
#: Between two looks at what has become too much or too old, in seconds.
_TIDYING = 300.0
#: The wait after the store could not be used, in seconds.
_STORE_AWAY = 5.0


@dataclass(slots=True)
class _Courier:
    """One host: what is under way, and since when it cannot be reached."""

    host: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    failures: int = 0
    not_before: float = 0.0


class Sender:
    """All couriers of one service. Everything belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        outbound: OutboundPolicy,
        config: NotificationConfig,
        source: str,
        fault: Callable[[str], None] = lambda point: None,
        *,
        clock: Callable[[], float] = clocks.now,
        stamp: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._outbound = outbound
        self._config = config
        self._source = config.source or source
        self._fault = fault
        self._clock = clock
        # Receivers compare what is signed with their own clocks: that is the machine's, whatever it says.
        self._stamp = stamp or time.time
        self._random = random.Random()  # noqa: S311 - spreads attempts in time; no secret
        self._shifted = clocks.shifted()
        self._couriers: dict[str, _Courier] = {}
        self._tasks = Tasks("sending messages")
        self._slots = asyncio.Semaphore(config.at_once_in_all)
        self._forget: Callable[[], None] | None = None
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Begin to send, with what is lying there."""
        self._client = client(
            self._outbound, timeout=self._config.timeout, connections=self._config.at_once_in_all, redirects=0
        )
        self._forget = self._store.on_outbox(self._on_outbox)
        self._on_outbox(frozenset(await self._store.waiting()))
        self._tasks.start(over_and_over(self._tidy, "tidying the outbox", pause=_TIDYING))

    async def stop(self) -> None:
        """Stop. What is under way will be sent again."""
        if self._forget is not None:
            self._forget()
        await self._tasks.stop()
        if self._client is not None:
            await self._client.aclose()

    def wake(self) -> None:
        """Look at the clock again: it was set."""
        for courier in self._couriers.values():
            courier.news.set()

    def _on_outbox(self, hosts: frozenset[str]) -> None:
        for host in hosts:
            courier = self._couriers.get(host)
            if courier is None:
                courier = self._couriers[host] = _Courier(host)
                self._tasks.start(self._serve(courier))
            courier.news.set()

    # -- one host -----------------------------------------------------------------------------------

    async def _serve(self, courier: _Courier) -> None:
        """Until nothing is left for the host."""
        while True:
            courier.news.clear()
            try:
                due = await self._look(courier)
            except Exception as error:
                tell("the outbox cannot be read now", error)
                due = self._clock() + _STORE_AWAY
            if due is None and not courier.under_way and not courier.news.is_set():
                del self._couriers[courier.host]
                return
            now = self._clock()
            # What is due now and could not begin, begins when something under way has ended.
            nap = _NAP if due is None else min(max(due - now, 0.0), _NAP)
            # Not wait_for: in Python 3.11 it forgets a cancellation that comes together with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(nap):
                    await courier.news.wait()

    async def _follow_clock(self) -> None:
        """Where the clock was set back, what was put off would wait until it has come there again."""
        by = clocks.shifted() - self._shifted
        self._shifted += by
        if by >= 0:
            return
        for courier in self._couriers.values():
            courier.not_before += by
        try:
            await self._store.shift_due(by)
        except ArgosyError:
            self._shifted -= by  # the next look does it
            raise

    async def _look(self, courier: _Courier) -> float | None:
        """Begin with what is due, and tell when to look again; None where nothing is waiting."""
        now = self._clock()
        await self._follow_clock()
        if now < courier.not_before:
            return courier.not_before
        room = (1 if courier.failures else self._config.at_once) - len(courier.under_way)
        if room > 0:
            # Those that end while it is read may still be in it.
            before = frozenset(courier.under_way)
            for one in await self._store.due(courier.host, now, room + len(before)):
                if one.number not in before and room > 0:
                    room -= 1
                    courier.under_way[one.number] = self._tasks.start(self._deliver(courier, one))
        return await self._store.next_due(courier.host, now)

    async def _deliver(self, courier: _Courier, delivery: Delivery) -> None:
        try:
            async with self._slots:
                self._fault("notify-before")
                answer = await self._attempt(delivery)
            self._fault("notify-after")
            self._weigh(courier, answer)
            await self._settle(delivery, answer)
        except Exception as error:
            # The store did not take it, say: the message is sent once more, under the same id.
            tell(f"what became of the message {delivery.id} cannot be recorded now", error)
            courier.not_before = self._clock() + _STORE_AWAY
        finally:
            del courier.under_way[delivery.number]
            courier.news.set()

    def _weigh(self, courier: _Courier, answer: Answer) -> None:
        """A host that does not answer at all is left alone for a while; one that answers is there."""
        if not answer.sent:
            return
        if answer.status is not None:
            courier.failures, courier.not_before = 0, 0.0
            return
        courier.failures += 1
        wait = judging.pause(courier.failures, answer, self._config, self._random.random())
        courier.not_before = self._clock() + wait

    async def _attempt(self, delivery: Delivery) -> Answer:
        assert self._client is not None
        if delivery.unsigned is not None:
            return Answer(None, f"it cannot be signed: {delivery.unsigned}", sent=False)
        now = self._clock()
        content = message.body(delivery, self._source)
        headers = message.headers(delivery, content, now, self._stamp())
        start = b""
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._client.stream("POST", delivery.url, content=content, headers=headers) as response,
            ):
                if not response.is_success and response.headers.get("content-encoding", "identity") == "identity":
                    async for part in response.aiter_raw():
                        start += part
                        if len(start) >= EXCERPT * 4:
                            break
                return judging.answered(response.status_code, response.headers, start[: EXCERPT * 4], now)
        except TimeoutError:
            return Answer(None, f"it did not answer within {self._config.timeout:g} s")
        except ArgosyError as error:
            return Answer(None, error.message)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(None, f"it cannot be reached: {str(error) or type(error).__name__}")
        except Exception as error:
            # A defect: the message is tried again like any other, and does not stop those of others.
            log.exception("the message %s could not be sent", delivery.id)
            return Answer(None, f"internal error: {type(error).__name__}")

    async def _settle(self, delivery: Delivery, answer: Answer) -> None:
        now = self._clock()
        match judging.fate(answer, delivery, now, self._config):
            case Fate.DELIVERED:
                await self._store.delivered(delivery.number)
            case Fate.GONE:
                await self._store.end_subscription(delivery.subscription, now, "the receiver answered 410 Gone")
            case Fate.DEAD:
                await self._store.give_up(delivery.number, now, answer.words)
                log.warning("a message for %s is a dead letter: %s", delivery.host, answer.words)
            case Fate.AGAIN:
                wait = judging.pause(delivery.attempts + 1, answer, self._config, self._random.random())
                await self._store.put_off(delivery.number, now + wait, answer.words)

    # -- keeping it bounded -------------------------------------------------------------------------

    async def _tidy(self) -> None:
        now = self._clock()
        await self._store.trim_outbox(
            now,
            before=now - self._config.keep_dead,
            most_dead=self._config.most_dead,
            most_waiting=self._config.most_waiting,
        )
