"""What all transfers of a service share: limits, threads, schemes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from .attempts import Patience
from .config import StagingConfig
from .contract import Progress
from .landing import Landing
from .pace import Hosts, Meter, Pace, Throttle
from .registry import Schemes
from .turns import Turns

_T = TypeVar("_T")

#: Between two reports of progress, in seconds.
_TELL = 0.5


class Desk:
    """Belongs to one event loop once something is moved."""

    def __init__(self, config: StagingConfig, schemes: Schemes, fault: Callable[[str], None]) -> None:
        self.config = config
        self.schemes = schemes
        self.fault = fault
        self.hosts = Hosts(config.transfers, config.transfers_per_host)
        self.pace = Pace(config.idle_timeout, config.minimum_speed, config.minimum_speed_time)
        self.patience = Patience(config.attempts, config.retry_first, config.retry_most)
        self.throttle = Throttle(config.bandwidth)
        self.disk = ThreadPoolExecutor(max_workers=min(config.transfers, 16), thread_name_prefix="argosy-staging")
        self.landing = Landing(self.disk, fault)
        self._glances: Turns[Callable[[], object], object] = Turns(self.disk, _each, beside=8)

    async def glance(self, directory: str, look: Callable[[], _T], discard: Callable[[_T], None] | None = None) -> _T:
        """What `look` answers, which blocks for a moment only: many are called by a thread in one turn.

        `directory` is the session directory that it looks at. What nobody waits for any more is given to `discard`.
        """
        place = os.path.dirname(directory.rstrip("/"))
        return cast(_T, await self._glances.take(place, look, cast("Callable[[object], None] | None", discard)))

    async def together(self, jobs: Sequence[Callable[[], Awaitable[_T]]]) -> list[_T]:
        """Do all of them, so many at once as there may be transfers. The first failure ends the others."""
        if len(jobs) == 1:
            return [await jobs[0]()]
        done: dict[int, _T] = {}
        left = iter(enumerate(jobs))

        async def worker() -> None:
            for index, job in left:
                done[index] = await job()

        workers = [asyncio.create_task(worker()) for _ in range(min(self.config.transfers, len(jobs)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in workers:
                task.cancel()
            if workers:
                await asyncio.wait(workers)
        return [done[index] for index in range(len(jobs))]

    def close(self) -> None:
        """End the threads; nothing is moved any more."""
        self.disk.shutdown(wait=True)
        self.landing.close()


def _each(looks: list[Callable[[], object]]) -> list[object | BaseException]:
    outcomes: list[object | BaseException] = []
    for look in looks:
        try:
            outcomes.append(look())
        except Exception as error:
            outcomes.append(error)
    return outcomes


@contextlib.contextmanager
def telling(meter: Meter, progress: Progress | None) -> Iterator[None]:
    """Tell of a meter's progress now and then, and in the end."""
    if progress is None:
        yield
        return
    loop = asyncio.get_running_loop()
    told = -1
    timers: list[asyncio.TimerHandle] = []

    def tell() -> None:
        nonlocal told
        timers[:] = [loop.call_later(_TELL, tell)]
        if meter.done != told:
            told = meter.done
            progress(told, meter.total)

    timers.append(loop.call_later(_TELL, tell))
    try:
        yield
    finally:
        timers[0].cancel()
        progress(meter.done, meter.total)
