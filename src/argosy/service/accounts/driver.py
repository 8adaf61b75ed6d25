"""A batch system as many accounts: for each account that has jobs a driver, whose commands an agent gives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from argosy.batch import Control
from argosy.executors.contract import Driver, Handle, JobRequest, OnReports
from argosy.executors.tasks import Tasks, at_intervals, tell
from argosy.model import ArgosyError, Command, Completed, Share, Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Before a driver that could not be opened is tried again for what it is to watch; doubles. Seconds.
_FIRST, _MOST = 1.0, 60.0


@dataclass(slots=True)
class _Seat:
    """One account's driver. `jobs` are those that it watches; `busy` counts what is being asked of it."""

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
        # The tags of jobs that are to be watched as soon as their accounts can be reached.
        self._awaited: set[str] = set()
        self._on_reports: OnReports | None = None
        self._tasks = Tasks(f"watching the jobs of accounts on {base.name}")
        self._woken = asyncio.Event()

    async def open(self, on_reports: OnReports) -> None:
        self._on_reports = on_reports
        await self._open_base(on_reports)
        what = f"closing what nobody uses of {self.name}"
        self._tasks.start(at_intervals(self._tidy, what, self._idle / 2))

    async def _open_base(self, on_reports: OnReports) -> None:
        await self._base.open(on_reports)

    def wake(self) -> None:
        """Those accounts that are waited for are tried at once."""
        self._woken.set()
        self._woken = asyncio.Event()

    def check(self, request: JobRequest) -> None:
        self._base.check(request)

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        async def some(account: str | None, items: list[JobRequest]) -> list[str | ArgosyError]:
            return await self._answers(account, items, lambda seat: _submit(seat, items))

        return await _by_account(requests, some)

    async def find(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        found: dict[str, str] = {}
        for account, some in _tags_by_account(tags, accounts).items():
            async with self._seat(account) as seat:
                found |= await seat.driver.find(some)
        return found

    async def withdraw(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        begun: dict[str, str] = {}
        for account, some in _tags_by_account(tags, accounts).items():
            async with self._seat(account) as seat:
                begun |= await seat.driver.withdraw(some)
        return begun

    def watch(self, handles: Iterable[Handle]) -> None:
        by_account: dict[str | None, list[Handle]] = {}
        for handle in handles:
            by_account.setdefault(handle.account, []).append(handle)
        for account, some in by_account.items():
            if account is None:
                self._base.watch(some)
            else:
                self._awaited.update(handle.tag for handle in some)
                self._tasks.start(self._watch(account, some))

    async def _watch(self, account: str, handles: list[Handle]) -> None:
        """Watch as soon as the account can be reached; jobs do not end meanwhile for that."""
        wait = _FIRST
        while handles := [handle for handle in handles if handle.tag in self._awaited]:
            try:
                async with self._seat(account) as seat:
                    # Some may have ended while it was opened.
                    handles = [handle for handle in handles if handle.tag in self._awaited]
                    self._awaited.difference_update(handle.tag for handle in handles)
                    seat.jobs.update(handle.tag for handle in handles)
                    seat.driver.watch(handles)
                    return
            except Exception as error:
                tell(f"the jobs of {account} on {self.name} cannot be watched now", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            wait = min(wait * 2, _MOST)

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        async def some(account: str | None, items: list[Handle]) -> list[ArgosyError | None]:
            return await self._answers(account, items, lambda seat: seat.driver.control(verb, items))

        return await _by_account(handles, some)

    async def settled(self, handles: Sequence[Handle]) -> None:
        async def some(account: str | None, items: list[Handle]) -> list[None]:
            try:
                async with self._over(account, items) as seat:
                    await seat.driver.settled(items)
            except ArgosyError as error:
                # Here and not by whoever asks: the other accounts' are settled.
                whose = "" if account is None else f" of {account}"
                log.warning("%s keeps records of %d ended jobs%s for now: %s", self.name, len(items), whose, error)
            return [None for _ in items]

        await _by_account(handles, some)

    async def forget(self, handles: Sequence[Handle]) -> None:
        async def some(account: str | None, items: list[Handle]) -> list[None]:
            async with self._over(account, items) as seat:
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
        async with self._seat(account) as seat:
            return await seat.driver.run(command, timeout=timeout)

    async def close(self) -> None:
        try:
            await self._tasks.stop()
            await asyncio.gather(*(self._close(account, seat) for account, seat in self._seats.items()))
        finally:
            await self._base.close()

    async def _close(self, account: str, seat: _Seat) -> None:
        try:
            await seat.driver.close()
        except Exception as error:
            tell(f"closing what {account} had of {self.name} failed", error)

    # -- seats ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _in_use(self, account: str | None) -> Iterator[_Seat]:
        """The account's seat, kept for as long as this lasts."""
        if account is None:
            yield _Seat(self._base, opened=True)
            return
        seat = self._seats.get(account)
        if seat is None:
            seat = self._seats[account] = _Seat(self._make(account))
        seat.busy += 1
        try:
            yield seat
        finally:
            seat.busy -= 1
            seat.used = asyncio.get_running_loop().time()

    async def _opened(self, seat: _Seat) -> None:
        """Open a seat's driver where it is not. Raises Unavailable."""
        async with seat.opening:
            if not seat.opened:
                if self._on_reports is None:
                    raise Unavailable(f"{self.name} is not open")
                await seat.driver.open(self._on_reports)
                seat.opened = True

    @contextlib.asynccontextmanager
    async def _seat(self, account: str | None) -> AsyncIterator[_Seat]:
        """The account's seat, open for as long as this lasts. Raises Unavailable."""
        with self._in_use(account) as seat:
            await self._opened(seat)
            yield seat

    async def _answers(
        self, account: str | None, items: Sequence[object], work: Callable[[_Seat], Awaitable[list[T | ArgosyError]]]
    ) -> list[T | ArgosyError]:
        """What `work` answers for each item; of an account that cannot be reached, why not."""
        with self._in_use(account) as seat:
            try:
                await self._opened(seat)
            except ArgosyError as error:
                # What else it says of itself stays: that a credential has expired, for one.
                return [error if isinstance(error, Unavailable) else Unavailable(error.message) for _ in items]
            return await work(seat)

    @contextlib.asynccontextmanager
    async def _over(self, account: str | None, handles: Sequence[Handle]) -> AsyncIterator[_Seat]:
        """As `_seat`, for jobs that have ended: nothing of them keeps it open from now on."""
        with self._in_use(account) as seat:
            tags = {handle.tag for handle in handles}
            seat.jobs -= tags
            self._awaited -= tags
            await self._opened(seat)
            yield seat

    async def _tidy(self) -> None:
        now = asyncio.get_running_loop().time()
        for account, seat in list(self._seats.items()):
            if not seat.jobs and not seat.busy and now - seat.used > self._idle:
                del self._seats[account]
                try:
                    await self._close(account, seat)
                except asyncio.CancelledError:
                    self._seats.setdefault(account, seat)  # whoever stops this closes it
                    raise


async def _submit(seat: _Seat, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
    """Submit them. They are the seat's before they are accepted: one may have ended before all are answered."""
    new = {request.tag for request in requests} - seat.jobs
    seat.jobs |= new
    answers: list[str | ArgosyError] = []
    try:
        answers = await seat.driver.submit(requests)
    finally:
        # Nobody watches those whose answer is not known: whoever finds one has it watched.
        accepted = [isinstance(answer, str) for answer in answers] or [False] * len(requests)
        seat.jobs -= {request.tag for request, yes in zip(requests, accepted, strict=True) if not yes} & new
    return answers


def _tags_by_account(tags: Sequence[str], accounts: Mapping[str, str] | None) -> dict[str | None, list[str]]:
    by_account: dict[str | None, list[str]] = {}
    for tag in tags:
        by_account.setdefault((accounts or {}).get(tag), []).append(tag)
    return by_account


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
