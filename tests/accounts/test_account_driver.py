"""Which accounts' drivers stay open: those that have jobs to watch or something to do, and no others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

import pytest

from argosy.accounts import Accounts, AccountsConfig, Agent
from argosy.batch import Control
from argosy.executors.contract import Driver, Handle, JobRequest, OnReports, Report
from argosy.model import (
    ArgosyError,
    InvalidJobException,
    JobSpec,
    Share,
    SubmitException,
    Unavailable,
)
from argosy.service.accounts import AccountDriver, Seats

pytestmark = pytest.mark.anyio

IDLE = 0.1


class Answering(Driver):
    """A driver that answers each submission as it is told to."""

    name = "answering"
    controls = frozenset(Control)

    def __init__(self, account: str | None = None) -> None:
        self.account = account
        self.answer: str | ArgosyError = "1"
        self.raises: Exception | None = None
        self.settles: list[str] = []
        self.watched: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closing_fails = False
        self.failing_opens = 0
        self.closed = asyncio.Event()

    async def open(self, on_reports: OnReports) -> None:
        if self.failing_opens:
            self.failing_opens -= 1
            raise RuntimeError("can't start new thread")

    def check(self, request: JobRequest) -> None:
        pass

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        if self.raises is not None:
            raise self.raises
        return [self.answer for _ in requests]

    async def find(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        await self.gate.wait()
        return {}

    def watch(self, handles: Iterable[Handle]) -> None:
        self.watched += [handle.tag for handle in handles]

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        return [None for _ in handles]

    async def settled(self, handles: Sequence[Handle]) -> None:
        await self.gate.wait()
        if self.raises is not None:
            raise self.raises
        self.settles += [handle.tag for handle in handles]

    async def forget(self, handles: Sequence[Handle]) -> None:
        await self.gate.wait()

    async def list_jobs(self) -> list[str]:
        return []

    async def shares(self) -> list[Share]:
        return []

    async def close(self) -> None:
        self.closed.set()
        if self.closing_fails:
            raise RuntimeError("a defect in closing")


class Drivers:
    """An AccountDriver over drivers that answer, and those that it has made, by account."""

    def __init__(self) -> None:
        self.made: dict[str, Answering] = {}
        self.prepared: dict[str, Callable[[Answering], None]] = {}
        self.base = Answering()
        self.driver = AccountDriver(self.base, self._make, IDLE)

    def _make(self, account: str) -> Driver:
        made = self.made[account] = Answering(account)
        self.prepared.get(account, lambda one: None)(made)
        return made

    async def closes(self, account: str) -> None:
        async with asyncio.timeout(30):
            await self.made[account].closed.wait()

    async def stays(self, account: str) -> None:
        """Another account that has nothing to do is given up twice meanwhile."""
        for other in ("other-1", "other-2"):
            await self.driver.control(Control.CANCEL, [Handle("x", "1", account=other)])
            await self.closes(other)
        assert not self.made[account].closed.is_set()


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Drivers]:
    accounts = Drivers()

    async def take(reports: Sequence[Report]) -> None:
        pass

    await accounts.driver.open(take)
    try:
        yield accounts
    finally:
        await accounts.driver.close()


def request(account: str) -> JobRequest:
    return JobRequest("t", JobSpec("/bin/true"), account=account)


@pytest.mark.parametrize(
    "refusal",
    [
        SubmitException("no"),
        InvalidJobException("no such queue", element="resources"),
        Unavailable("it does not answer"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_job_that_was_not_accepted_keeps_no_driver_open(refusal: ArgosyError) -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: setattr(made, "answer", refusal)
        assert await accounts.driver.submit([request("bob")]) == [refusal]
        await accounts.driver.find(["t"], {"t": "bob"})
        await accounts.closes("bob")


async def test_a_submission_that_fails_by_a_defect_keeps_no_driver_open() -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: setattr(made, "raises", RuntimeError("a defect"))
        with pytest.raises(RuntimeError, match="a defect"):
            await accounts.driver.submit([request("bob")])
        await accounts.closes("bob")


async def test_a_driver_with_a_job_stays_open_until_its_end_is_settled() -> None:
    async with opened() as accounts:
        assert await accounts.driver.submit([request("bob")]) == ["1"]
        await accounts.stays("bob")
        await accounts.driver.settled([Handle("t", "1", account="bob")])
        await accounts.closes("bob")


@pytest.mark.parametrize("what", ["find", "settled", "forget"])
async def test_a_driver_stays_open_while_something_is_asked_of_it(what: str) -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: made.gate.clear()
        handles = [Handle("t", "1", account="bob")]
        work = {
            "find": lambda: accounts.driver.find(["t"], {"t": "bob"}),
            "settled": lambda: accounts.driver.settled(handles),
            "forget": lambda: accounts.driver.forget(handles),
        }[what]
        asked = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        await accounts.stays("bob")
        accounts.made["bob"].gate.set()
        await asked
        await accounts.closes("bob")


async def test_one_account_that_is_away_keeps_the_ends_of_no_others_from_being_settled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: setattr(made, "raises", Unavailable("the agent does not answer"))
        await accounts.driver.settled([Handle("t1", "1", account="bob"), Handle("t2", "2", account="eve")])
        assert accounts.made["eve"].settles == ["t2"]
    told = [record.getMessage() for record in caplog.records if "keeps records" in record.getMessage()]
    assert told == ["answering keeps records of 1 ended jobs of bob for now: the agent does not answer"]


async def test_a_driver_that_does_not_close_keeps_no_others_open() -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: setattr(made, "closing_fails", True)
        await accounts.driver.control(Control.CANCEL, [Handle("t", "1", account="bob")])
        await accounts.closes("bob")
        await accounts.driver.control(Control.CANCEL, [Handle("t", "1", account="eve")])
        await accounts.closes("eve")


async def test_a_driver_that_does_not_close_keeps_no_others_open_at_the_end() -> None:
    async with opened() as accounts:
        for account in ("bob", "eve"):
            accounts.prepared[account] = lambda made: setattr(made, "closing_fails", True)
            await accounts.driver.submit([request(account)])
    assert all(made.closed.is_set() for made in (*accounts.made.values(), accounts.base))


async def test_jobs_are_watched_also_after_a_defect_in_opening_their_accounts_driver() -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: setattr(made, "failing_opens", 1)
        accounts.driver.watch([Handle("t", "1", account="bob")])
        async with asyncio.timeout(30):
            while not (accounts.made.get("bob") and accounts.made["bob"].watched == ["t"]):
                accounts.driver.wake()
                await asyncio.sleep(0.01)
        await accounts.stays("bob")


async def test_a_job_that_ended_while_its_account_was_away_keeps_no_driver_open() -> None:
    async with opened() as accounts:
        accounts.prepared["bob"] = lambda made: setattr(made, "failing_opens", 2)
        over, other = Handle("over", "1", account="bob"), Handle("other", "2", account="bob")
        accounts.driver.watch([over, other])
        async with asyncio.timeout(30):
            while not (accounts.made.get("bob") and accounts.made["bob"].failing_opens < 2):
                await asyncio.sleep(0)
        with contextlib.suppress(RuntimeError):  # it cannot be opened yet
            await accounts.driver.settled([over])
        async with asyncio.timeout(30):
            while not accounts.made["bob"].watched:
                accounts.driver.wake()
                await asyncio.sleep(0.01)
        assert accounts.made["bob"].watched == ["other"]
        await accounts.driver.settled([other])
        await accounts.closes("bob")


async def test_an_agent_that_cannot_be_given_a_rest_keeps_no_others_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[str] = []
    both = asyncio.Event()

    async def rest(agent: Agent) -> None:
        rested.append(agent.account)
        if rested.count("bob") > 1 and rested.count("eve") > 1:
            both.set()
        raise RuntimeError("a defect")

    monkeypatch.setattr(Agent, "rest", rest)
    seats = Seats(AccountsConfig(Accounts(), (), "argosy-agent", "/nowhere", IDLE), {})
    try:
        seats.agent("bob")
        seats.agent("eve")
        async with asyncio.timeout(30):
            await both.wait()
    finally:
        await seats.close()
