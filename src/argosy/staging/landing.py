"""Small files that arrive at the same time are had on the disk together: each alone waits for the disk twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from .placing import Arrival, Outcome, place
from .scribe import Scribe
from .threads import run

#: What is larger is on its own: others need not wait for it.
_SMALL = 256 * 1024
#: As many at once, so that none waits for too many others.
_MOST = 64


class Landing:
    """Where files that have come wait for their turn. Who comes while others are under way goes with the next ones."""

    def __init__(self, executor: Executor, fault: Callable[[str], None]) -> None:
        self._executor = executor
        self._fault = fault
        self._scribe = Scribe()
        # By file system: one that stands still keeps no other waiting.
        self._waiting: dict[int, list[tuple[Arrival, asyncio.Future[dict[str, str]]]]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}

    async def land(self, arrival: Arrival) -> dict[str, str]:
        """Have the file on the disk under its name; answers its checksums.

        Raises TransferFailed. Cancelled, it takes the file out of those that wait, or waits for the end of its turn.
        """
        if arrival.sink.offset > _SMALL:
            [outcome] = await run(self._executor, place, [arrival], self._fault)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
        place_of = arrival.directory[0]
        answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(place_of, [])
        waiting.append((arrival, answer))
        if place_of not in self._workers:
            self._workers[place_of] = asyncio.create_task(self._work(place_of, waiting))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if (arrival, answer) in waiting:
                waiting.remove((arrival, answer))
            elif not answer.done():
                await asyncio.wait([answer])
            if answer.done() and not answer.cancelled():
                answer.exception()  # looked at: the cancellation is what is told
            raise

    def close(self) -> None:
        """End what writes for it. Blocks."""
        self._scribe.close()

    async def _work(self, place_of: int, waiting: list[tuple[Arrival, asyncio.Future[dict[str, str]]]]) -> None:
        turn: list[tuple[Arrival, asyncio.Future[dict[str, str]]]] = []
        try:
            while waiting:
                turn = waiting[:_MOST]
                del waiting[:_MOST]
                outcomes: list[Outcome]
                try:
                    outcomes = await run(
                        self._executor, place, [arrival for arrival, _ in turn], self._fault, self._scribe
                    )
                except asyncio.CancelledError:
                    raise
                except BaseException as error:
                    # Nobody waits for this task: whoever waits for a file is told.
                    outcomes = [error] * len(turn)
                for (_, answer), outcome in zip(turn, outcomes, strict=True):
                    _tell(answer, outcome)
        finally:
            del self._workers[place_of], self._waiting[place_of]
            for _, answer in (*turn, *waiting):
                # Only where the event loop ends, and this with it.
                answer.cancel()


def _tell(answer: asyncio.Future[dict[str, str]], outcome: Outcome) -> None:
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
