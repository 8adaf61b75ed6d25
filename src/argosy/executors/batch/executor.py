"""PSI/J's JobExecutor over a batch system: a thin synchronous face on a `BatchDriver`."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

from argosy.batch import BatchSystem, Control
from argosy.executors.contract import Handle, JobRequest, Report
from argosy.executors.executor import JobExecutor, JobExecutorConfig
from argosy.executors.job import Job
from argosy.executors.loop import call
from argosy.executors.origins import Origins
from argosy.executors.places import SPOOL_AGE, spools
from argosy.model import (
    ArgosyError,
    InvalidInput,
    InvalidJobException,
    JobSpec,
    JobState,
    JobStatus,
    Observation,
    Origin,
    Outcome,
    Phase,
    SubmitException,
    Unavailable,
)
from argosy.transport import Transport, open_transport

from .driver import BatchConfig, BatchDriver, directives
from .gathering import Gathering, Taken
from .leftovers import Leftovers
from .spools import remote_spools

log = logging.getLogger(__name__)

#: The most jobs that are gathered where there are no arrays.
_AT_ONCE = 100
#: Before jobs that were taken over are tried again for the first time, in seconds.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchExecutorConfig(JobExecutorConfig):
    """How the batch system is used, besides where things are kept.

    `ssh_config` is read instead of ``~/.ssh/config`` where the executor has an ssh url. `options` are the batch
    system's own, where it has any (slurmrestd: where its daemon is).
    """

    batch: BatchConfig = field(default_factory=BatchConfig)
    ssh_config: str | Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)


class BatchJobExecutor(JobExecutor):
    """Jobs on the batch system whose commands are on this machine, or on the host that the url names."""

    system: ClassVar[type[BatchSystem]]

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        self._ssh_config = config.ssh_config if isinstance(config, BatchExecutorConfig) else None
        if url is not None:
            self._transport()  # says at once what is wrong with the url, or is not installed; connects to nothing
        self._batch = config.batch if isinstance(config, BatchExecutorConfig) else BatchConfig()
        options = config.options if isinstance(config, BatchExecutorConfig) else {}
        self._knowledge = self.system(options) if options else self.system()
        self._driver: BatchDriver | None = None
        self._leftovers: Leftovers | None = None
        self._jobs: dict[str, Job] = {}
        # Jobs that were once submitted and neither accepted nor refused for good: there may come to be two of them.
        self._doubtful: set[str] = set()
        self._opening = asyncio.Lock()
        self._origins = Origins()
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        config = self._batch.gathering
        most, patience = self.system.max_array or _AT_ONCE, self._batch.command_timeout + config.persist
        self._gathering = Gathering(config, self._submit_taken, most, patience)

    @property
    def needs_pools(self) -> bool:
        return self.url is None  # commands of this machine are run by one

    def submit(self, job: Job | Sequence[Job]) -> None:
        """As `JobExecutor.submit`; a single job may be taken over without waiting for the batch system's answer.

        That is done where it accepted a job of the same kind a moment ago (`BatchConfig.gathering`). What it then says
        against this one is told as the job's status FAILED. Of a list all jobs are submitted that are not refused: the
        first refusal is raised, and those that were refused are unchanged.
        """
        jobs = self.jobs_of(job)
        for one in jobs:
            self.check(one)
        kind: object = None
        origin = self._origins.now() if self.url is None else None
        if isinstance(job, Job) and self._batch.gathering.enabled:
            if self._pid != os.getpid():
                self._forked()
            kind, spec = self._kind(job)
            if not job.uncertain and self._gathering.take(Taken(job, spec, origin), kind, self.bind):
                return
        errors = self._submit_bound(jobs, origin)
        for error in errors:
            if error is not None:
                raise error
        if kind is not None:
            self._gathering.accepted(kind)

    def _submit_bound(self, jobs: Sequence[Job], origin: Origin | None) -> Sequence[ArgosyError | None]:
        """Submit jobs that are this executor's from now on; those that are refused are not any more."""
        bound: list[Job] = []
        try:
            for one in jobs:
                self.bind(one)
                bound.append(one)
        except BaseException:
            self.unbind(bound)
            raise
        return call(self._submit_or_unbind([Taken(one, one.spec, origin) for one in jobs if one.spec is not None]))

    async def _submit_or_unbind(self, taken: Sequence[Taken]) -> list[ArgosyError | None]:
        # Here, and not where it is waited for: whoever waits may be interrupted, and the submission goes on.
        try:
            return await self._submit(taken)
        finally:
            self.unbind([one.job for one in taken])

    def _kind(self, job: Job) -> tuple[object, JobSpec]:
        """What the batch system is asked for, whatever the job's name, and the specification as it is now."""
        spec = copy.deepcopy(job.spec)
        assert spec is not None
        name, spec.name = spec.given_name, None
        kind = directives(self._knowledge, JobRequest(job.id, spec))
        if name is not None:
            spec.name = name
            directives(self._knowledge, JobRequest(job.id, spec))  # raises where it is the name that is wrong
        return kind, spec

    async def _submit_taken(self, taken: list[Taken]) -> None:
        """Hand over jobs whose `submit` has returned: what went wrong is told by their status."""
        begun, pause = time.monotonic(), _PAUSE
        while taken:
            try:
                errors = await self._submit(taken)
            except ArgosyError as failed:
                errors = [failed] * len(taken)
            except Exception as defect:
                # Nobody else would tell of it, and the jobs would be waited for in vain.
                log.exception("a defect in submitting %d jobs", len(taken))
                errors = [SubmitException(f"the job could not be submitted: {defect}", defect)] * len(taken)
            patient = time.monotonic() - begun < self._batch.gathering.persist
            again: list[Taken] = []
            for one, error in zip(taken, errors, strict=True):
                if patient and isinstance(error, SubmitException) and error.transient:
                    again.append(one)
                    continue
                if error is not None:
                    self._gathering.refused()
                    one.job.status = JobStatus(JobState.FAILED, message=error.message)
                one.job._answer = None
            taken = again
            if taken:
                # The batch system is away, or has asked for it to be tried later.
                await asyncio.sleep(pause)
                pause *= 2

    async def _submit(self, taken: Sequence[Taken]) -> list[ArgosyError | None]:
        jobs = [one.job for one in taken]
        try:
            driver = await self._open()
            known = (
                await driver.find([job.id for job in jobs if job.uncertain])
                if any(job.uncertain for job in jobs)
                else {}
            )
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error
        new = [job for job in jobs if job.id not in known]
        requests = [JobRequest(job.id, spec, origin=origin) for job, spec, origin in taken if job.id not in known]
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
                if isinstance(answer, SubmitException) and answer.transient:
                    self._doubtful.add(one.id)
        return errors

    async def _ask_again(self, driver: BatchDriver, job: Job, error: Unavailable) -> str | SubmitException:
        """The batch system gave no answer: has it accepted the job?"""
        self._doubtful.add(job.id)
        with contextlib.suppress(ArgosyError):
            found = (await driver.find([job.id])).get(job.id)
            if found is not None:
                driver.watch([Handle(job.id, found)])
                return found
            return SubmitException(error.message, error, transient=True)
        job.uncertain = True
        return SubmitException(error.message, error, transient=True)

    def _forked(self) -> None:
        """In a forked child: the driver, its threads and its jobs are the parent's."""
        self._driver, self._leftovers, self._jobs, self._opening = None, None, {}, asyncio.Lock()
        self._renew()

    async def _open(self) -> BatchDriver:
        if self._pid != os.getpid():
            self._forked()
        async with self._opening:
            if self._driver is None:
                transport = self._transport()
                try:
                    root = await self._spool_root(transport)
                except BaseException:
                    await transport.close()
                    raise
                driver = BatchDriver(self._knowledge, transport, f"{root}/{uuid.uuid4().hex}", self._batch)
                try:
                    await driver.open(self._on_reports)
                except BaseException:
                    await driver.close()
                    raise
                self._driver, self._leftovers = driver, Leftovers(driver, self._batch.keep)
            return self._driver

    def _transport(self) -> Transport:
        return open_transport(self.url, config=self._ssh_config)

    async def _spool_root(self, transport: Transport) -> str:
        if self.url is None:
            return str(await asyncio.to_thread(spools, self.config.work_directory, self.name))
        return await remote_spools(transport, self.config.work_directory, self.name, SPOOL_AGE)

    async def _on_reports(self, reports: Sequence[Report]) -> None:
        for report in reports:
            job = self._jobs.get(report.tag)
            if job is None:
                continue
            if job._native_id is None or job.executor is None:
                # The job began before the answer to its submission was read.
                self.accept(job, report.native_id)
            job.native_id = report.native_id
            status = to_status(report, stages=job.spec is not None and job.spec.stages)
            if status is not None:
                job.status = status
                if status.final:
                    del self._jobs[report.tag]
                    self._clear_up(report)

    def _clear_up(self, report: Report) -> None:
        if self._leftovers is not None:
            handle, certain = Handle(report.tag, report.native_id), report.tag not in self._doubtful
            self._doubtful.discard(report.tag)
            self._leftovers.ended(handle, ran=report.outcome is Outcome.EXITED, certain=certain)

    def cancel(self, job: Job) -> None:
        self.cancel_many([job])

    def cancel_many(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if not job.status.final:
                self.check_own(job)
        left: list[Job] = []
        for job in jobs:
            if job.status.final:
                continue
            if job._answer is not None and self._gathering.withdraw(job):
                job.status = JobStatus(JobState.CANCELED, message="cancelled before it was submitted")
            else:
                left.append(job)
        for job in left:
            self._await_answer(job)
        left = [job for job in left if not job.status.final]
        errors = call(self._control(Control.CANCEL, left)) if left else []
        for job, error in zip(left, errors, strict=True):
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
        self._await_answer(job)
        (error,) = call(self._control(verb, [job]))
        if error is not None:
            raise error

    def _await_answer(self, job: Job) -> None:
        if job.native_id is None and not job.status.final:
            words = f"{self.name} has not yet answered to the submission of the job"
            raise SubmitException(words, transient=True)

    async def _control(self, verb: Control, jobs: Sequence[Job]) -> Sequence[ArgosyError | None]:
        driver = await self._open()
        return await driver.control(verb, [Handle(job.id, job.native_id or "") for job in jobs])

    def attach(self, job: Job, native_id: str) -> None:
        self.check_attach(job)
        if not native_id:
            raise InvalidJobException("a native id is needed to attach to", element="native_id")
        try:
            self._knowledge.control(Control.CANCEL, [native_id])  # makes a command of what is an id here
        except InvalidInput as error:
            raise InvalidJobException(error.message, element="native_id") from error
        call(self._attach(job, native_id))

    async def _attach(self, job: Job, native_id: str) -> None:
        try:
            driver = await self._open()
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error
        self.bind(job)
        job.spec = JobSpec()
        job.native_id = native_id
        self._jobs[job.id] = job
        driver.watch([Handle(job.id, native_id, attached=True)])

    async def _list(self) -> list[str]:
        try:
            return await (await self._open()).list_jobs()
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error

    def list(self) -> list[str]:
        self._gathering.finish()
        return call(self._list())

    def observe(self, native_ids: Sequence[str]) -> Mapping[str, Observation]:
        return call(self._observe(native_ids))

    async def _observe(self, native_ids: Sequence[str]) -> Mapping[str, Observation]:
        try:
            return await (await self._open()).look(native_ids)
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error


@cache
def executor_of(system: object) -> type[BatchJobExecutor]:
    """The executor of a batch system. Raises ImportError where `system` is none."""
    if not (isinstance(system, type) and issubclass(system, BatchSystem)):
        raise ImportError(f"{system!r} is not a BatchSystem")  # noqa: TRY004  # what is registered cannot be used
    attributes = {"name": system.name, "system": system, "__doc__": f"Jobs on {system.__name__}."}
    return type(f"{system.__name__}JobExecutor", (BatchJobExecutor,), attributes)


def to_status(report: Report, *, stages: bool = False) -> JobStatus | None:
    """PSI/J's status for what was seen; None where PSI/J has no state for it.

    A job that `stages` is ACTIVE once its script says so: before, all that is known of it is that it has begun.
    """
    metadata: dict[str, object] = {"native_id": report.native_id}
    if report.hosts:
        metadata["hosts"] = list(report.hosts)
    if report.usage is not None:
        metadata["usage"] = report.usage
    if report.phase in (Phase.RUNNING, Phase.SUSPENDED):
        state = report.state or (JobState.STAGE_IN if stages else JobState.ACTIVE)
        return JobStatus(state, report.time, report.message, metadata=metadata)
    if report.phase is not Phase.ENDED:
        return JobStatus(JobState.QUEUED, report.time, report.message, metadata=metadata)
    if report.outcome is Outcome.EXITED:
        state = JobState.COMPLETED if report.exit_code == 0 else JobState.FAILED
    else:
        state = JobState.CANCELED if report.outcome is Outcome.CANCELLED else JobState.FAILED
    return JobStatus(state, report.time, report.message, report.exit_code, metadata)
