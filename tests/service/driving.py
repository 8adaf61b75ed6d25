"""A service in this process over a driver whose answers a test decides."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from argosy.batch import Control
from argosy.executors.contract import Driver, Handle, JobRequest, OnReports, Report
from argosy.languages.native import Description
from argosy.model import ArgosyError, Command, Completed, Outcome, Phase, RuntimeEnvironment, Share, Unavailable
from argosy.service.administration.limits import Limits
from argosy.service.caller import Caller
from argosy.service.contract import CreateRequest
from argosy.service.files.transfers import FindCredentials
from argosy.service.matching.resources import Resource
from argosy.service.matching.share_config import SharesConfig
from argosy.service.policy import ServicePolicy
from argosy.service.service import ExecutionService
from argosy.staging import Staging
from argosy.store import Activity, Created
from argosy.store.sqlite import SQLiteStore
from tests.waiting import until_async as until  # noqa: F401 - tests have it from here

ALICE, BOB = Caller("alice"), Caller("bob")


class ToldDriver(Driver):
    """Accepts every job under its own tag, and says of them what it is told to."""

    name = "told"
    controls = frozenset(Control)

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self.watched: list[str] = []
        self.forgotten: list[list[str]] = []
        self.settling: Callable[[], object] | None = None
        self.requests: list[JobRequest] = []
        self.offered: list[Share] = []
        self.closed: str | None = None

    async def open(self, on_reports: OnReports) -> None:
        if self.closed is not None:
            raise Unavailable(self.closed)
        self.on_reports = on_reports

    def check(self, request: JobRequest) -> None:
        pass

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        self.submitted += [request.tag for request in requests]
        self.requests += requests
        return [request.tag for request in requests]

    async def find(self, tags: Sequence[str], accounts: object = None) -> dict[str, str]:
        return {tag: tag for tag in tags if tag in self.submitted}

    def watch(self, handles: object) -> None:
        self.watched += [handle.tag for handle in handles]

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        return [None for _ in handles]

    async def settled(self, handles: Sequence[Handle]) -> None:
        if self.settling is not None:
            await self.settling()

    async def forget(self, handles: Sequence[Handle]) -> None:
        self.forgotten.append([handle.tag for handle in handles])

    async def list_jobs(self) -> list[str]:
        return list(self.submitted)

    async def shares(self) -> list[Share]:
        return list(self.offered)

    async def run(self, command: Command, *, timeout: float, account: str | None = None) -> Completed:
        return Completed(command.argv, 0, "0\nsaid\n", "")

    async def close(self) -> None:
        pass

    async def end(self, *ids: str, exit_code: int = 0) -> None:
        """Tell that these have ended by themselves."""
        now = time.time()
        await self.on_reports(
            [Report(id, id, Phase.ENDED, now, outcome=Outcome.EXITED, exit_code=exit_code) for id in ids]
        )


@asynccontextmanager
async def routed_service(
    directory: Path,
    drivers: dict[str, ToldDriver],
    *,
    configs: dict[str, SharesConfig] | None = None,
    environments: Sequence[RuntimeEnvironment] = (),
    **policy: float,
) -> AsyncIterator[ExecutionService]:
    """A service over several resources."""
    times = {"retry_first": 0.01, "retry_most": 0.05, "match_again": 0.02, "housekeeping": 1000.0} | policy
    configs = configs or {}
    service = ExecutionService(
        SQLiteStore(directory / "argosy.db"),
        str(directory / "sessions"),
        {name: Resource(name, driver, config=configs.get(name, SharesConfig())) for name, driver in drivers.items()},
        ServicePolicy(**times),
        alone=True,
        environments=environments,
    )
    await service.open()
    try:
        yield service
    finally:
        await service.close()


@asynccontextmanager
async def told_service(
    directory: Path,
    *,
    driver: ToldDriver | None = None,
    staging: Staging | None = None,
    credentials: FindCredentials | None = None,
    limits: Limits | None = None,
    store_fault: Callable[[str], None] | None = None,
    **policy: float,
) -> AsyncIterator[tuple[ExecutionService, ToldDriver]]:
    driver = driver or ToldDriver()
    # What would be put right when housekeeping comes by is to be right without it.
    times = {"retry_first": 0.01, "retry_most": 0.05, "housekeeping": 1000.0} | policy
    service = ExecutionService(
        SQLiteStore(directory / "argosy.db", fault=store_fault),
        str(directory / "sessions"),
        {"told": Resource("told", driver)},
        ServicePolicy(**times),
        limits=limits,
        alone=True,
        staging=staging,
        credentials=credentials or FindCredentials(),
    )
    await service.open()
    try:
        yield service, driver
    finally:
        await service.close()


async def create(service: ExecutionService, caller: Caller = ALICE, **fields: object) -> str:
    (made,) = await service.create(caller, [CreateRequest(Description(executable="/bin/true", **fields))])
    assert isinstance(made, Created), made
    return made.activity.id


async def record(service: ExecutionService, id: str, caller: Caller = ALICE) -> Activity:
    (found,) = await service.status(caller, [id])
    assert isinstance(found, Activity), found
    return found
