"""Blocking work that a thread does for many at once: to hand it over costs more than a small file does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .threads import run

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: As many at once, so that none waits for too many others.
_MOST = 64
#: A turn that takes longer, in seconds, keeps those that wait no longer where others may go beside it.
_SLOW = 0.05


@dataclass(slots=True)
class _Place(Generic[_Item, _Result]):
    waiting: list[tuple[_Item, asyncio.Future[_Result]]] = field(default_factory=list)
    workers: set[asyncio.Task[None]] = field(default_factory=set)


class Turns(Generic[_Item, _Result]):
    """Where items wait for their turn. Who comes while others are under way goes with the next ones.

    `perform` answers for each item, in order, with a result or with why there is none; it is called in a thread. While
    turns are slow, so many as `beside` says are under way in one place.
    """

    def __init__(
        self,
        executor: Executor,
        perform: Callable[[list[_Item]], Sequence[_Result | BaseException]],
        *,
        beside: int = 1,
    ) -> None:
        self._executor = executor
        self._perform = perform
        self._beside = beside
        self._places: dict[Hashable, _Place[_Item, _Result]] = {}

    @property
    def waiting(self) -> int:
        """How many have not had their turn yet."""
        return sum(len(place.waiting) for place in self._places.values())

    async def take(self, place: Hashable, item: _Item, discard: Callable[[_Result], None] | None = None) -> _Result:
        """What comes of the item. Those of one `place` go together: one that stands still keeps no other waiting.

        Cancelled, it takes the item out of those that wait, or waits for the end of its turn; what came of it is
        given to `discard`.
        """
        answer: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        at = self._places.get(place)
        if at is None:
            at = self._places[place] = _Place()
        entry = item, answer
        at.waiting.append(entry)
        if not at.workers:
            self._begin(place, at)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if entry in at.waiting:
                at.waiting.remove(entry)
            else:
                # Also where the waiting for it is cancelled.
                answer.add_done_callback(lambda answer: _let_go(answer, discard))
                await asyncio.wait([answer])
            raise

    def _begin(self, place: Hashable, at: _Place[_Item, _Result]) -> None:
        at.workers.add(asyncio.create_task(self._work(place, at)))

    async def _work(self, place: Hashable, at: _Place[_Item, _Result]) -> None:
        turn: list[tuple[_Item, asyncio.Future[_Result]]] = []
        try:
            while at.waiting:
                turn = at.waiting[:_MOST]
                del at.waiting[:_MOST]
                outcomes: Sequence[_Result | BaseException]
                try:
                    outcomes = await self._performed(place, at, [item for item, _ in turn])
                except asyncio.CancelledError:
                    raise
                except BaseException as error:
                    # Nobody waits for this task: whoever waits for an item is told.
                    outcomes = [error] * len(turn)
                for (_, answer), outcome in zip(turn, outcomes, strict=True):
                    if isinstance(outcome, BaseException):
                        answer.set_exception(outcome)
                    else:
                        answer.set_result(outcome)
        finally:
            left = turn
            task = asyncio.current_task()
            assert task is not None
            at.workers.discard(task)
            if not at.workers:
                del self._places[place]
                left = [*turn, *at.waiting]
            for _, answer in left:
                # Only where the event loop ends, and this with it.
                answer.cancel()

    async def _performed(
        self, place: Hashable, at: _Place[_Item, _Result], items: list[_Item]
    ) -> Sequence[_Result | BaseException]:
        turn = asyncio.create_task(run(self._executor, self._perform, items))
        try:
            while not turn.done():
                await asyncio.wait([turn], timeout=_SLOW if self._beside > 1 else None)
                if not turn.done() and at.waiting and len(at.workers) < self._beside:
                    self._begin(place, at)
        except asyncio.CancelledError:
            turn.cancel()
            await asyncio.wait([turn])
            raise
        return turn.result()


def _let_go(answer: asyncio.Future[_Result], discard: Callable[[_Result], None] | None) -> None:
    """Nobody wants it any more: the cancellation is what is told."""
    if not answer.cancelled() and answer.exception() is None and discard is not None:
        discard(answer.result())
