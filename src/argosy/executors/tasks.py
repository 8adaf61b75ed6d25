"""Work that goes on beside requests. Whatever fails in it is told, and ends nothing but itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from typing import Any

from argosy.model import ArgosyError

from .ending import is_over

log = logging.getLogger(__name__)

#: After work that is to be done over and over has failed, in seconds.
AGAIN = 1.0

Work = Callable[[], Awaitable[object]]


async def over_and_over(work: Work, what: str, *, pause: float = 0.0, again: float = AGAIN) -> None:
    """Do it until it is cancelled or the program ends, `pause` seconds between two times; where it failed, `again`
    seconds if that is more.

    `what` tells the log what failed, as in "WHAT failed".
    """
    while True:
        try:
            await work()
        except Exception as error:
            if is_over(with_pools=True):
                return  # what needs a thread fails then, and the program is at its end
            wait = max(pause, again)
            tell(f"{what} failed, and is tried again in {wait:g} s", error)
            await asyncio.sleep(wait)
        else:
            await asyncio.sleep(pause)


async def at_intervals(work: Work, what: str, every: float) -> None:
    """As `over_and_over`; the first time when `every` seconds have passed."""
    await asyncio.sleep(every)
    await over_and_over(work, what, pause=every, again=0.0)


def tell(words: str, error: BaseException) -> None:
    """Log what has failed: what the world outside is to blame for in its words, a defect with where it is."""
    if isinstance(error, (ArgosyError, OSError)):
        log.warning("%s: %s", words, str(error) or repr(error))
    else:
        log.error("a defect: %s", words, exc_info=error)


class Tasks:
    """What one object has begun, for as long as it goes on. Belongs to one event loop."""

    def __init__(self, what: str) -> None:
        """`what` tells the log what failed."""
        self._what = what
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin with it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            tell(f"{self._what} failed", error)

    async def ended(self, timeout: float) -> None:
        """Wait for what goes on now, for `timeout` seconds at most."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=timeout)

    async def stop(self) -> None:
        """Cancel what goes on, and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Turns:
    """One at a time for each key. A key that nobody has or waits for takes no room."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextlib.asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Have the turn of a key."""
        lock, here = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, here + 1
        try:
            async with lock:
                yield
        finally:
            lock, here = self._locks[key]
            if here > 1:
                self._locks[key] = lock, here - 1
            else:
                del self._locks[key]
