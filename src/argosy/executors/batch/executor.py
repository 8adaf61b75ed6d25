"""PSI/J's JobExecutor over a batch system: a thin synchronous face on a `BatchDriver`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

from argosy.batch import BatchSystem, Control
from argosy.executors.contract import Handle, JobRequest, Report
from argosy.executors.executor import JobExecutor, JobExecutorConfig
from argosy.executors.job import Job
from argosy.executors.loop import call
from argosy.model import (
    ArgosyError,
    InvalidJobException,
    InvalidStateException,
    JobSpec,
    JobState,
    JobStatus,
    Outcome,
    Phase,
    SubmitException,
    Unavailable,
)
from argosy.transport.local import LocalTransport

from .driver import BatchConfig, BatchDriver

log = logging.getLogger(__name__)

#: Spools of processes that ended long ago are removed after this many seconds.
_SPOOL_AGE = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchExecutorConfig(JobExecutorConfig):
    """How the batch system is used, besides where things are kept."""

    batch: BatchConfig = field(default_factory=BatchConfig)


class BatchJobExecutor(JobExecutor):
    """Jobs on the batch system whose commands are on this machine."""

    system: ClassVar[type[BatchSystem]]

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        if url is not None:
            raise ValueError(f"the {self.name} executor reaches this machine only; it takes no url, got {url!r}")
        self._batch = config.batch if isinstance(config, BatchExecutorConfig) else BatchConfig()
        self._driver: BatchDriver | None = None
        self._jobs: dict[str, Job] = {}
        self._opening = asyncio.Lock()
        self._pid = os.getpid()

    def submit(self, job: Job | Sequence[Job]) -> None:
        jobs = [job] if isinstance(job, Job) else list(job)
        for one in jobs:
            self.check(one)
        errors = call(self._submit(jobs))
        for error in errors:
            if error is not None:
                raise error

    async def _submit(self, jobs: list[Job]) -> list[ArgosyError | None]:
        try:
            driver = await self._open()
            known = (
                await driver.find([job.id for job in jobs if job.uncertain])
                if any(job.uncertain for job in jobs)
                else {}
            )
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error
        for number, job in enumerate(jobs):
            if job.id in self._jobs or job in jobs[:number]:
                raise InvalidStateException("Job is already associated with an executor")
        new = [job for job in jobs if job.id not in known]
        requests = [JobRequest(job.id, job.spec) for job in new if job.spec is not None]
        for one in jobs:
            self._jobs[one.id] = one
        answers = await driver.submit(requests)
        given: dict[str, str | ArgosyError] = {
            **known,
            **{job.id: answer for job, answer in zip(new, answers, strict=True)},
        }
        errors: list[ArgosyError | None] = []
        for one in jobs:
            answer = given[one.id]
            if isinstance(answer, Unavailable):
                answer = await self._ask_again(driver, one, answer)
            if isinstance(answer, str):
                if one.id in known:
                    driver.watch([Handle(one.id, answer)])
                self.accept(one, answer)
                errors.append(None)
            else:
                del self._jobs[one.id]
                errors.append(answer)
        return errors

    async def _ask_again(self, driver: BatchDriver, job: Job, error: Unavailable) -> str | SubmitException:
        """The batch system gave no answer: has it accepted the job?"""
        with contextlib.suppress(ArgosyError):
            found = (await driver.find([job.id])).get(job.id)
            if found is not None:
                driver.watch([Handle(job.id, found)])
                return found
            return SubmitException(error.message, error, transient=True)
        job.uncertain = True
        return SubmitException(error.message, error, transient=True)

    async def _open(self) -> BatchDriver:
        if self._pid != os.getpid():
            # In a forked child: the driver, its threads and its jobs are the parent's.
            self._pid, self._driver, self._jobs, self._opening = os.getpid(), None, {}, asyncio.Lock()
        async with self._opening:
            if self._driver is None:
                root = await asyncio.get_running_loop().run_in_executor(None, self._spools)
                driver = BatchDriver(self.system(), LocalTransport(), str(root / uuid.uuid4().hex), self._batch)
                try:
                    await driver.open(self._on_reports)
                except BaseException:
                    await driver.close()
                    raise
                self._driver = driver
            return self._driver

    def _spools(self) -> Path:
        """The directory of this system's spools, those of processes that ended long ago removed."""
        root = Path(self.config.work_directory or _state_directory() / "spool").expanduser().resolve() / self.name
        _remove_old(root)
        return root

    async def _on_reports(self, reports: Sequence[Report]) -> None:
        for report in reports:
            job = self._jobs.get(report.tag)
            if job is None:
                continue
            if job.native_id is None or job.executor is None:
                # The job began before the answer to its submission was read.
                self.accept(job, report.native_id)
            job.native_id = report.native_id
            status = to_status(report)
            if status is not None:
                job.status = status
                if status.final:
                    del self._jobs[report.tag]

    def cancel(self, job: Job) -> None:
        if job.status.final:
            return
        self.check_own(job)
        error = call(self._control(Control.CANCEL, job))
        if error is not None and not job.status.final:
            raise SubmitException(error.message, error, transient=isinstance(error, Unavailable))

    def hold(self, job: Job) -> None:
        """Keep a queued job from starting."""
        self._do(Control.HOLD, job)

    def release(self, job: Job) -> None:
        """Let a held job start."""
        self._do(Control.RELEASE, job)

    def suspend(self, job: Job) -> None:
        """Stop a running job; most batch systems allow it to their operators only."""
        self._do(Control.SUSPEND, job)

    def resume(self, job: Job) -> None:
        """Let a suspended job go on."""
        self._do(Control.RESUME, job)

    def _do(self, verb: Control, job: Job) -> None:
        self.check_own(job)
        error = call(self._control(verb, job))
        if error is not None:
            raise error

    async def _control(self, verb: Control, job: Job) -> ArgosyError | None:
        driver = await self._open()
        (error,) = await driver.control(verb, [Handle(job.id, job.native_id or "")])
        return error

    def attach(self, job: Job, native_id: str) -> None:
        self.check_attach(job)
        if not native_id:
            raise InvalidJobException("a native id is needed to attach to", element="native_id")
        call(self._attach(job, native_id))

    async def _attach(self, job: Job, native_id: str) -> None:
        try:
            driver = await self._open()
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error
        job.spec = JobSpec()
        job.executor = self
        job.native_id = native_id
        self._jobs[job.id] = job
        driver.watch([Handle(job.id, native_id)])

    async def _list(self) -> list[str]:
        try:
            return await (await self._open()).list_jobs()
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error

    def list(self) -> list[str]:
        return call(self._list())


@cache
def executor_of(system: object) -> type[BatchJobExecutor]:
    """The executor of a batch system. Raises ImportError where `system` is none."""
    if not (isinstance(system, type) and issubclass(system, BatchSystem)):
        raise ImportError(f"{system!r} is not a BatchSystem")  # noqa: TRY004  # what is registered cannot be used
    attributes = {"name": system.name, "system": system, "__doc__": f"Jobs on {system.__name__}."}
    return type(f"{system.__name__}JobExecutor", (BatchJobExecutor,), attributes)


def to_status(report: Report) -> JobStatus | None:
    """PSI/J's status for what was seen; None where PSI/J has no state for it."""
    metadata: dict[str, object] = {"native_id": report.native_id}
    if report.hosts:
        metadata["hosts"] = list(report.hosts)
    if report.usage is not None:
        metadata["usage"] = report.usage
    if report.phase in (Phase.RUNNING, Phase.SUSPENDED):
        return JobStatus(JobState.ACTIVE, report.time, report.message, metadata=metadata)
    if report.phase is not Phase.ENDED:
        return JobStatus(JobState.QUEUED, report.time, report.message, metadata=metadata)
    if report.outcome is Outcome.EXITED:
        state = JobState.COMPLETED if report.exit_code == 0 else JobState.FAILED
    else:
        state = JobState.CANCELED if report.outcome is Outcome.CANCELLED else JobState.FAILED
    return JobStatus(state, report.time, report.message, report.exit_code, metadata)


def _state_directory() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "argosy"


def _remove_old(root: Path) -> None:
    if not root.is_dir():
        return
    for spool in root.iterdir():
        with contextlib.suppress(OSError):  # another process clears up too
            used = max(path.stat().st_mtime for path in (spool, *spool.iterdir()))
            if time.time() - used > _SPOOL_AGE:
                shutil.rmtree(spool, ignore_errors=True)
