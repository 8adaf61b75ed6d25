"""Work that a thread does for many at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from argosy.staging.turns import Turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


class Held:
    """Performs turns, of which each waits until it may end."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.within = threading.Semaphore(0)
        self.free = threading.Semaphore(0)

    def __call__(self, items: list[int]) -> Sequence[int | BaseException]:
        self.turns.append(items)
        self.within.release()
        assert self.free.acquire(timeout=20)
        if 13 in items:
            raise OSError("all of it")
        return [LookupError(str(item)) if item < 0 else item * 10 for item in items]

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.within.acquire, timeout=20)


async def started(turns: Turns[int, int], items: list[int], place: str = "") -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(turns.take(place, item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_meanwhile_goes_with_the_next_ones_each_with_its_own_answer(
    executor: ThreadPoolExecutor,
) -> None:
    held = Held()
    turns = Turns(executor, held)
    first = await started(turns, [1])
    await held.begun()
    more = await started(turns, [2, -3, 4])
    held.free.release(2)
    answers = await asyncio.gather(*first, *more, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["10", "20", "-3", "40"]
    assert isinstance(answers[2], LookupError)
    assert held.turns == [[1], [2, -3, 4]]
    assert not turns.waiting


async def test_a_turn_that_fails_is_told_to_all_in_it_and_the_next_one_goes_on(executor: ThreadPoolExecutor) -> None:
    held = Held()
    held.free.release(2)
    turns = Turns(executor, held)
    answers = await asyncio.gather(*await started(turns, [1, 13]), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["all of it", "all of it"]
    assert await turns.take("", 5) == 50


async def test_one_place_that_stands_still_keeps_no_other_waiting(executor: ThreadPoolExecutor) -> None:
    held = Held()
    turns = Turns(executor, held)
    [stands] = await started(turns, [1], "a")
    await held.begun()
    [other] = await started(turns, [3], "b")
    await held.begun()  # while the first is held
    held.free.release(2)
    assert (await stands, await other) == (10, 30)


async def test_while_a_turn_is_slow_others_go_beside_it(executor: ThreadPoolExecutor) -> None:
    held = Held()
    turns = Turns(executor, held, beside=3)
    tasks = await started(turns, [1])
    await held.begun()
    for item in (2, 3):
        tasks += await started(turns, [item])
        await held.begun()  # while the ones before are held
    tasks += await started(turns, [4])
    await asyncio.sleep(0.2)
    assert held.turns == [[1], [2], [3]], "no more than three"
    held.free.release(4)
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40]
    assert not turns.waiting
    held.free.release()
    assert await turns.take("", 5) == 50


async def test_no_more_than_64_wait_for_each_other(executor: ThreadPoolExecutor) -> None:
    held = Held()
    held.free.release(3)
    turns = Turns(executor, held)
    tasks = await started(turns, list(range(20, 170)))
    assert await asyncio.gather(*tasks) == [item * 10 for item in range(20, 170)]
    assert max(len(turn) for turn in held.turns) == 64


async def test_what_came_of_a_cancelled_one_is_discarded(executor: ThreadPoolExecutor) -> None:
    held = Held()
    turns = Turns(executor, held)
    discarded: list[int] = []
    under_way = asyncio.create_task(turns.take("", 1, discarded.append))
    await held.begun()
    waits = asyncio.create_task(turns.take("", 2, discarded.append))
    await asyncio.sleep(0)
    for task in (under_way, waits):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert not discarded
    held.free.release()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert discarded == [10]
    assert held.turns == [[1]]


async def test_what_came_of_one_that_was_cancelled_twice_is_discarded_too(executor: ThreadPoolExecutor) -> None:
    held = Held()
    turns = Turns(executor, held)
    discarded: list[int] = []
    task = asyncio.create_task(turns.take("", 1, discarded.append))
    await held.begun()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not discarded
    held.free.release()
    async with asyncio.timeout(20):
        while not discarded:
            await asyncio.sleep(0.01)
    assert discarded == [10]
