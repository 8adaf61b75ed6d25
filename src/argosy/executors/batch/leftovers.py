"""What ended jobs have left in the spool, and when it goes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from argosy.executors.contract import Handle
from argosy.executors.tasks import Tasks, tell

from .driver import BatchDriver

#: Jobs that end within so many seconds are cleared up after together.
_TOGETHER = 2.0
#: Before what could not be removed is tried again, in seconds.
_AGAIN = 60.0
#: The most jobs that one command is about.
_AT_ONCE = 500


class Leftovers:
    """Clears up after the ended jobs of one driver. Belongs to its event loop.

    What the script of a job printed that ran to its end goes soon, everything else after `keep` seconds: until then
    batch systems can put a job back into the queue that has ended, and its claim keeps it from running again.
    """

    def __init__(self, driver: BatchDriver, keep: float) -> None:
        self._driver = driver
        self._keep = keep
        self._fresh: list[Handle] = []
        self._kept: deque[tuple[float, Handle]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Tasks("clearing up after ended jobs")
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def ended(self, handle: Handle, *, ran: bool, certain: bool) -> None:
        """A job has ended. `ran`: to its own end; `certain`: there can be no other submission of it in the queue."""
        if ran:
            self._fresh.append(handle)
        if certain:
            self._kept.append((time.monotonic(), handle))
        self._tidy_in(_TOGETHER)

    def _tidy_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._task is None or self._task.done():
            self._task = self._tasks.start(self._tidy())
        else:
            self._tidy_in(_TOGETHER)

    async def _tidy(self) -> None:
        fresh, self._fresh = self._fresh, []
        due: list[Handle] = []
        begun = time.monotonic()
        while self._kept and begun - self._kept[0][0] >= self._keep:
            due.append(self._kept.popleft()[1])
        try:
            for some in _parts(fresh):
                await self._driver.forget_outputs(some)
            for some in _parts(due):
                await self._driver.forget(some)
        except Exception as error:
            if not self._failed:  # once, however often it is tried
                tell("what ended jobs left in the spool cannot be removed, and is tried again", error)
            self._failed = True
            self._fresh += fresh
            self._kept.extendleft((begun - self._keep, handle) for handle in reversed(due))
            self._tidy_in(_AGAIN)
        else:
            self._failed = False
            if self._kept:
                self._tidy_in(max(_TOGETHER, self._kept[0][0] + self._keep - time.monotonic()))


def _parts(handles: Sequence[Handle]) -> list[Sequence[Handle]]:
    return [handles[begin : begin + _AT_ONCE] for begin in range(0, len(handles), _AT_ONCE)]
