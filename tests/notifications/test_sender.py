"""The sender by the clock: retries, order, dead letters, receivers that want no more. Time is what a test says."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from argosy.languages.native import Description
from argosy.model import LimitExceeded, NotFound
from argosy.model.notification import Callback
from argosy.outbound import OutboundPolicy
from argosy.service.contract import CreateRequest
from argosy.service.matching.resources import Resource
from argosy.service.notifications import NewSubscription, NotificationConfig
from argosy.service.policy import ServicePolicy
from argosy.service.service import ExecutionService
from argosy.store import Created, Subscription
from argosy.store.sqlite import SQLiteStore
from tests.notifications.receiver import Got, Receiver, nobody, receiving
from tests.service.driving import ALICE, BOB, ToldDriver, record, until

pytestmark = pytest.mark.anyio

#: A port on which nobody listens.
NOBODY = "http://127.0.0.1:9/hook"
HOUR = 3600.0


class Clock:
    """The time, put forward by tests."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Whole:
    """A service over a driver that is told what to report, with a clock that is set."""

    def __init__(self, directory: Path, **config: object) -> None:
        self.clock = Clock()
        self.driver = ToldDriver()
        self.store = SQLiteStore(directory / "argosy.db")
        self.service = ExecutionService(
            self.store,
            str(directory / "sessions"),
            {"told": Resource("told", self.driver)},
            ServicePolicy(retry_first=0.01, retry_most=0.05),
            alone=True,
            outbound=OutboundPolicy(["127.0.0.0/8"]),
            notifying=NotificationConfig(allow_http=True, **config),
        )
        self.service.sender._clock = self.clock

    async def held(self, url: str, **more: object) -> Subscription:
        """An activity that waits, and a subscription to it."""
        (made,) = await self.service.create(ALICE, [CreateRequest(Description(executable="/bin/true", held=True))])
        assert isinstance(made, Created)
        return await self.service.subscribe(ALICE, NewSubscription(Callback(url, **more), activity=made.activity.id))

    async def end(self, subscription: Subscription) -> None:
        """End its activity, and have all messages about that in the outbox."""
        await self.service.terminate(ALICE, [subscription.activity])
        await until(lambda: self._is_over(subscription.activity))

    async def _is_over(self, id: str) -> bool:
        return (await record(self.service, id)).state.final

    async def pass_time(self, seconds: float, step: float = 60.0) -> None:
        """Let time pass by steps, and the couriers do what is due at each."""
        passed = 0.0
        while passed < seconds:
            passed += step
            self.clock.ahead += step
            self.service.sender.wake()
            await self.idle()

    async def idle(self) -> None:
        """Until nothing is under way, and every courier has looked at the clock."""

        def quiet() -> bool:
            # One that has seen the news and reads the outbox does not wait for news again yet.
            couriers = self.service.sender._couriers.values()
            return not any(one.under_way or one.news.is_set() or not one.news._waiters for one in couriers)

        quiet_for = 0
        async with asyncio.timeout(60):
            while quiet_for < 3:
                quiet_for = quiet_for + 1 if quiet() else 0
                await asyncio.sleep(0.003)


@asynccontextmanager
async def whole(directory: Path, **config: object) -> AsyncIterator[Whole]:
    one = Whole(directory, **config)
    await one.service.open()
    try:
        yield one
    finally:
        await one.service.close()


async def got(receiver: Receiver, count: int) -> list[Got]:
    await until(lambda: len(receiver.got) >= count)
    return receiver.got


def states(receiver: Receiver, secret: str) -> list[str]:
    return [one.verified_at(secret).data.event.state for one in receiver.got]


async def test_a_receiver_that_is_away_for_an_hour_is_told_everything(tmp_path: Path) -> None:
    with nobody() as port:
        async with whole(tmp_path) as one:
            await _away_for_an_hour(one, port)


async def _away_for_an_hour(one: Whole, port: int) -> None:
    told = await one.held(f"http://127.0.0.1:{port}/hook")
    await one.end(told)
    await one.pass_time(3600)
    assert await one.service.dead_letters(ALICE) == []
    with receiving(port) as back:
        await one.pass_time(700)
        assert states(back, told.secret) == ["running:terminating", "terminated"]
        assert len(set(back.ids())) == 2
    await until(lambda: _nothing_waits(one))


async def _nothing_waits(one: Whole) -> bool:
    return await one.store.waiting() == []


async def test_attempts_come_slower_and_slower_and_end_in_a_dead_letter_that_can_be_sent_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.answer = lambda got: (500, {"content-type": "text/plain"}, b"no\x1b[31m room\n here")
        async with whole(tmp_path, give_up_after=4 * HOUR) as one:
            told = await one.held(receiver.url, states=["terminated"])
            await one.end(told)
            await got(receiver, 1)
            times = [one.clock()]
            while not await one.service.dead_letters(ALICE):
                before = len(receiver.got)
                await one.pass_time(100, step=100)
                times += [one.clock()] * (len(receiver.got) - before)
                assert times[-1] - times[0] < 8 * HOUR
            waits = [later - earlier for earlier, later in itertools.pairwise(times[4:])]
            assert max(waits) <= 800
            assert min(waits[4:]) >= 200
            assert 4 * HOUR <= times[-1] - times[0] + 100 <= 4 * HOUR + 1000
            (dead,) = await one.service.dead_letters(ALICE)
            assert await one.service.dead_letters(BOB) == []
            assert dead.words == "it answered 500 Internal Server Error: no [31m room here"
            assert dead.attempts == len(receiver.got)
            assert len(set(receiver.ids())) == 1
            receiver.answer = lambda got: (200, {}, b"")
            assert isinstance((await one.service.resend(BOB, [dead.number]))[0], NotFound)
            assert await one.service.resend(ALICE, [dead.number]) == [None]
            await one.idle()
            await until(lambda: _nothing_waits(one))
            assert len(set(receiver.ids())) == 1
            assert receiver.got[-1].id == dead.id
            assert await one.service.dead_letters(ALICE) == []
            assert isinstance((await one.service.resend(ALICE, [dead.number]))[0], NotFound)


async def test_after_a_defect_in_recording_an_answer_the_message_is_sent_once_more_and_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving() as receiver:
        async with whole(tmp_path) as one:
            delivered, failed = one.store.delivered, asyncio.Event()

            async def fails_once(number: int) -> None:
                if not failed.is_set():
                    failed.set()
                    raise ValueError("a defect of somebody's")
                await delivered(number)

            monkeypatch.setattr(one.store, "delivered", fails_once)
            told = await one.held(receiver.url, states=["terminated"])
            await one.end(told)
            await failed.wait()
            await one.idle()
            assert len(receiver.got) == 1
            assert "cannot be recorded now" in caplog.text
            assert "a defect of somebody's" in caplog.text
            await one.pass_time(60)
            await until(lambda: _nothing_waits(one))
            assert len(receiver.got) == 2
            assert len(set(receiver.ids())) == 1


async def test_a_dead_letter_lets_the_next_of_its_activity_go(tmp_path: Path) -> None:
    with receiving() as receiver:
        first = b'"state":"running:terminating"'
        receiver.answer = lambda got: (400 if first in got.body.partition(b'"activity":{')[0] else 200, {}, b"")
        async with whole(tmp_path, give_up_after=100) as one:
            told = await one.held(receiver.url)
            await one.end(told)
            await got(receiver, 1)
            await one.pass_time(400, step=20)
            assert states(receiver, told.secret)[-1] == "terminated"
            (dead,) = await one.service.dead_letters(ALICE)
            assert dead.event.state == "running:terminating"
            assert "terminated" not in states(receiver, told.secret)[:-1]


async def test_who_asks_to_wait_is_waited_for(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.answer = lambda got: (503, {"retry-after": "3000"}, b"")
        async with whole(tmp_path) as one:
            told = await one.held(receiver.url, states=["terminated"])
            await one.end(told)
            await got(receiver, 1)
            await one.idle()
            await one.pass_time(2900)
            assert len(receiver.got) == 1
            receiver.answer = lambda got: (204, {}, b"")
            await one.pass_time(200)
            assert len(receiver.got) == 2


async def test_who_is_gone_is_told_nothing_more(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.answer = lambda got: (410, {}, b"")
        async with whole(tmp_path) as one:
            told = await one.held(receiver.url)
            await one.end(told)
            await got(receiver, 1)
            await until(lambda: _nothing_waits(one))
            await one.pass_time(4000, step=500)
            assert len(receiver.got) == 1
            (ended,) = await one.service.subscriptions(ALICE)
            assert ended.why == "the receiver answered 410 Gone"
            assert ended.ended is not None
            assert await one.service.dead_letters(ALICE) == []


async def test_redirections_are_not_followed(tmp_path: Path) -> None:
    with receiving() as target, receiving() as receiver:
        receiver.answer = lambda got: (307, {"location": target.url}, b"")
        async with whole(tmp_path, give_up_after=1) as one:
            told = await one.held(receiver.url, states=["terminated"])
            await one.end(told)
            await got(receiver, 1)
            await one.pass_time(200)
            (dead,) = await one.service.dead_letters(ALICE)
            assert "redirections are not followed" in str(dead.words)
            assert target.got == []


async def test_one_host_that_hangs_delays_no_other(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, receiving() as receiver:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with whole(tmp_path, timeout=30, at_once=2) as one:
            for _ in range(20):
                await one.end(await one.held(url))
            await until(lambda: len(one.service.sender._couriers[url].under_way) == 2)
            await one.end(await one.held(receiver.url, states=["final"]))
            await got(receiver, 1)  # within less than the time that the other is given
            assert len(one.service.sender._couriers[url].under_way) == 2


async def test_it_stays_bounded(tmp_path: Path) -> None:
    async with whole(tmp_path, most_subscriptions=3) as one:
        some = [await one.held(NOBODY) for _ in range(4)]  # each to another activity
        for _ in range(3):
            await one.service.subscribe(ALICE, NewSubscription(Callback(NOBODY)))
        with pytest.raises(LimitExceeded):
            await one.service.subscribe(ALICE, NewSubscription(Callback(NOBODY)))
        await one.service.subscribe(BOB, NewSubscription(Callback(NOBODY)))
        for told in some:
            await one.end(told)
        now = one.clock()
        await one.store.trim_outbox(now, before=0.0, most_dead=100, most_waiting=2)
        dead = await one.service.dead_letters(ALICE)
        assert len(dead) == 3 * 6  # of the eight for each of the subscriptions to all
        assert {letter.words for letter in dead} == {"more than 2 messages were waiting for this subscription"}
        await one.store.trim_outbox(now, before=0.0, most_dead=5, most_waiting=2)
        assert [letter.number for letter in await one.service.dead_letters(ALICE)] == [
            letter.number for letter in dead[-5:]
        ]
        await one.store.trim_outbox(now, before=now + 1, most_dead=5, most_waiting=2)
        assert await one.service.dead_letters(ALICE) == []
