"""Small files that arrive at the same time are had on the disk together: each alone waits for the disk twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from .placing import Arrival, Outcome, place
from .scribe import Scribe
from .threads import run
from .turns import Turns

#: What is larger is on its own: others need not wait for it.
_SMALL = 256 * 1024


class Landing:
    """Where files that have come wait for their turn; by file system."""

    def __init__(self, executor: Executor, fault: Callable[[str], None]) -> None:
        self._executor = executor
        self._fault = fault
        self._scribe = Scribe()
        self._turns = Turns(executor, self._place)

    async def land(self, arrival: Arrival) -> dict[str, str]:
        """Have the file on the disk under its name; answers its checksums.

        Raises TransferFailed. Cancelled, it takes the file out of those that wait, or waits for the end of its turn.
        """
        if arrival.sink.offset <= _SMALL:
            return await self._turns.take(arrival.directory[0], arrival)
        [outcome] = await run(self._executor, place, [arrival], self._fault)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def close(self) -> None:
        """End what writes for it. Blocks."""
        self._scribe.close()

    def _place(self, arrivals: Sequence[Arrival]) -> Sequence[Outcome]:
        return place(arrivals, self._fault, self._scribe)
