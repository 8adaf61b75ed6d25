"""Blocking work that a thread does for many at once: to hand it over costs more than a small file does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from .threads import run

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: As many at once, so that none waits for too many others.
_MOST = 64


class Turns(Generic[_Item, _Result]):
    """Where items wait for their turn. Who comes while others are under way goes with the next ones.

    `perform` answers for each item, in order, with a result or with why there is none; it is called in a thread.
    """

    def __init__(self, executor: Executor, perform: Callable[[list[_Item]], Sequence[_Result | BaseException]]) -> None:
        self._executor = executor
        self._perform = perform
        #: Those whose turn has not come, by place.
        self.waiting: dict[Hashable, list[tuple[_Item, asyncio.Future[_Result]]]] = {}
        self._workers: dict[Hashable, asyncio.Task[None]] = {}

    async def take(self, place: Hashable, item: _Item, discard: Callable[[_Result], None] | None = None) -> _Result:
        """What comes of the item. Those of one `place` go together: one that stands still keeps no other waiting.

        Cancelled, it takes the item out of those that wait, or waits for the end of its turn; what came of it is
        given to `discard`.
        """
        answer: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        waiting = self.waiting.setdefault(place, [])
        entry = item, answer
        waiting.append(entry)
        if place not in self._workers:
            self._workers[place] = asyncio.create_task(self._work(place, waiting))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if entry in waiting:
                waiting.remove(entry)
            elif not answer.done():
                await asyncio.wait([answer])
            # Looked at in any case: the cancellation is what is told.
            if answer.done() and not answer.cancelled() and answer.exception() is None and discard is not None:
                discard(answer.result())
            raise

    async def _work(self, place: Hashable, waiting: list[tuple[_Item, asyncio.Future[_Result]]]) -> None:
        turn: list[tuple[_Item, asyncio.Future[_Result]]] = []
        try:
            while waiting:
                turn = waiting[:_MOST]
                del waiting[:_MOST]
                outcomes: Sequence[_Result | BaseException]
                try:
                    outcomes = await run(self._executor, self._perform, [item for item, _ in turn])
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
            del self._workers[place], self.waiting[place]
            for _, answer in (*turn, *waiting):
                # Only where the event loop ends, and this with it.
                answer.cancel()
