"""A batch system as many accounts: for each account that has jobs a driver, whose commands an agent gives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from argosy.batch import Control
from argosy.executors.contract import Driver, Handle, JobRequest, OnReports
from argosy.model import ArgosyError, Command, Completed, Share, SubmitException, Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Before a driver that could not be opened is tried again for what it is to watch; doubles. Seconds.
_FIRST, _MOST = 1.0, 60.0


@dataclass(slots=True)
class _Seat:
    """One account's driver. `jobs` are those that it has in hand."""

    driver: Driver
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    opened: bool = False
    jobs: set[str] = field(default_factory=set)
    used: float = 0.0
    busy: int = 0


class AccountDriver(Driver):
    """Gives each job to the driver of its account; a job without one to the service's own, `base`.

    `make` makes an account's driver, not opened. One that has had no jobs for `idle` seconds is closed. Whatever is
    the same for everybody (the queues, what can be asked at all) is asked of `base`.
    """

    def __init__(self, base: Driver, make: Callable[[str], Driver], idle: float) -> None:
        self.name = base.name
        self.controls = base.controls
        self._base = base
        self._make = make
        self._idle = idle
        self._seats: dict[str, _Seat] = {}
        self._on_reports: OnReports | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._tidying: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()

    async def open(self, on_reports: OnReports) -> None:
        self._on_reports = on_reports
        await self._open_base(on_reports)
        self._tidying = asyncio.create_task(self._tidy())

    async def _open_base(self, on_reports: OnReports) -> None:
        await self._base.open(on_reports)

    def wake(self) -> None:
        """Something has changed that may let accounts be reached: those that are waited for are tried at once."""
        self._woken.set()
        self._woken = asyncio.Event()

    def check(self, request: JobRequest) -> None:
        self._base.check(request)

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        async def some(account: str | None, items: list[JobRequest]) -> list[str | ArgosyError]:
            async def work(driver: Driver) -> list[str | ArgosyError]:
                return await driver.submit(items)

            return await self._with(account, work, items, [item.tag for item in items])

        return await _by_account(requests, some)

    async def find(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        by_account: dict[str | None, list[str]] = {}
        for tag in tags:
            by_account.setdefault((accounts or {}).get(tag), []).append(tag)
        found: dict[str, str] = {}
        for account, some in by_account.items():
            seat = await self._seat(account)
            found |= await seat.driver.find(some)
        return found

    def watch(self, handles: Iterable[Handle]) -> None:
        by_account: dict[str | None, list[Handle]] = {}
        for handle in handles:
            by_account.setdefault(handle.account, []).append(handle)
        for account, some in by_account.items():
            if account is None:
                self._base.watch(some)
            else:
                task = asyncio.create_task(self._watch(account, some))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _watch(self, account: str, handles: list[Handle]) -> None:
        """Watch as soon as the account can be reached; jobs do not end meanwhile for that."""
        wait = _FIRST
        while True:
            try:
                seat = await self._seat(account)
            except ArgosyError as error:
                log.warning("the jobs of %s on %s cannot be watched now: %s", account, self.name, error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
                wait = min(wait * 2, _MOST)
                continue
            seat.jobs.update(handle.tag for handle in handles)
            seat.driver.watch(handles)
            return

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        async def some(account: str | None, items: list[Handle]) -> list[ArgosyError | None]:
            async def work(driver: Driver) -> list[ArgosyError | None]:
                return await driver.control(verb, items)

            return await self._with(account, work, items)

        return await _by_account(handles, some)

    async def settled(self, handles: Sequence[Handle]) -> None:
        async def some(account: str | None, items: list[Handle]) -> list[None]:
            seat = await self._seat(account)
            await seat.driver.settled(items)
            seat.jobs.difference_update(item.tag for item in items)
            return [None for _ in items]

        await _by_account(handles, some)

    async def forget(self, handles: Sequence[Handle]) -> None:
        async def some(account: str | None, items: list[Handle]) -> list[None]:
            seat = await self._seat(account)
            await seat.driver.forget(items)
            return [None for _ in items]

        await _by_account(handles, some)

    async def list_jobs(self) -> list[str]:
        found = await self._base.list_jobs()
        for seat in list(self._seats.values()):
            if seat.opened:
                found += await seat.driver.list_jobs()
        return found

    async def shares(self) -> list[Share]:
        return await self._base.shares()

    async def run(self, command: Command, *, timeout: float, account: str | None = None) -> Completed:
        seat = await self._seat(account)
        return await seat.driver.run(command, timeout=timeout)

    async def close(self) -> None:
        tasks = [*self._tasks, *([] if self._tidying is None else [self._tidying])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(seat.driver.close() for seat in self._seats.values()))
        await self._base.close()

    # -- seats ------------------------------------------------------------------------------------

    async def _with(
        self,
        account: str | None,
        work: Callable[[Driver], Coroutine[Any, Any, list[Any]]],
        items: Sequence[object],
        tags: Iterable[str] = (),
    ) -> list[Any]:
        try:
            seat = await self._seat(account)
        except ArgosyError as error:
            # What else it says of itself stays: that a credential has expired, for one.
            return [error if isinstance(error, Unavailable) else Unavailable(error.message) for _ in items]
        seat.busy += 1
        tags = list(tags)
        seat.jobs.update(tags)
        try:
            answers = await work(seat.driver)
        finally:
            seat.busy -= 1
        refused = {tag for tag, answer in zip(tags, answers, strict=False) if isinstance(answer, SubmitException)}
        seat.jobs -= refused
        return answers

    async def _seat(self, account: str | None) -> _Seat:
        """The account's driver, open. Raises Unavailable."""
        if account is None:
            return _Seat(self._base, opened=True)
        seat = self._seats.get(account)
        if seat is None:
            seat = self._seats[account] = _Seat(self._make(account))
        seat.used = asyncio.get_running_loop().time()
        async with seat.opening:
            if not seat.opened:
                if self._on_reports is None:
                    raise Unavailable(f"{self.name} is not open")
                await seat.driver.open(self._on_reports)
                seat.opened = True
        return seat

    async def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle / 2)
            for account, seat in list(self._seats.items()):
                over = not seat.jobs and not seat.busy and loop.time() - seat.used > self._idle
                if over and not seat.opening.locked():
                    del self._seats[account]
                    await seat.driver.close()


async def _by_account(
    items: Sequence[Any], some: Callable[[str | None, list[Any]], Coroutine[Any, Any, list[T]]]
) -> list[T]:
    """`some` for the items of each account at the same time; its answers in the order of the items."""
    by_account: dict[str | None, list[int]] = {}
    for index, item in enumerate(items):
        by_account.setdefault(item.account, []).append(index)
    answers = await asyncio.gather(
        *(some(account, [items[index] for index in indexes]) for account, indexes in by_account.items())
    )
    ordered: list[Any] = [None] * len(items)
    for indexes, answered in zip(by_account.values(), answers, strict=True):
        for index, answer in zip(indexes, answered, strict=True):
            ordered[index] = answer
    return ordered
