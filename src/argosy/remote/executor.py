"""The executor: PSI/J's operations as requests to a service."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from argosy.client.asynchronous import AsyncClient
from argosy.client.discovery import Endpoint, discover, read_token
from argosy.client.errors import from_problem
from argosy.executors.executor import JobExecutor, JobExecutorConfig
from argosy.executors.job import Job
from argosy.executors.loop import call
from argosy.executors.tasks import Tasks
from argosy.languages.documents import ActivityDocument, EventDocument
from argosy.languages.native import Description, in_the_models_terms
from argosy.model import (
    ActivityState,
    ArgosyError,
    InvalidInput,
    InvalidJobException,
    InvalidStateException,
    JobSpec,
    JobState,
    JobStatus,
    NotFound,
    Observation,
    SubmitException,
    Unavailable,
    Usage,
)
from argosy.model.projections import psij

from .describe import Upload, describe
from .following import Follower
from .observing import observed
from .transfers import download, upload

log = logging.getLogger(__name__)
T = TypeVar("T")

_AT_ONCE = 1000
_OF_A_VECTOR = re.compile(r"\[\d+\]\.description\.")
_STAGING_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteExecutorConfig(JobExecutorConfig):
    """Where in the service jobs go, and how we show who we are.

    `share` is ``RESOURCE`` or ``RESOURCE/QUEUE``; None leaves it to the service. `token_file` holds the token for the
    url given (default: ARGOSY_TOKEN or ARGOSY_TOKEN_FILE). `purge` removes each activity after its end.
    `lost_after`: after so many seconds without an answer from the service its jobs FAIL, saying so.
    """

    share: str | None = None
    token_file: str | Path | None = None
    purge: bool = False
    lost_after: float = 3600.0


class RemoteJobExecutor(JobExecutor):
    """Jobs as activities of an Argosy service: that of `url`, or the one that the `argosy` command finds.

    A job's native id is its activity's id.
    """

    name = "argosy"

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        self._settings = config if isinstance(config, RemoteExecutorConfig) else RemoteExecutorConfig()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        # By activity. Several jobs may be handles on one: those that were attached to it.
        self._jobs: dict[str, list[Job]] = {}
        self._client: AsyncClient | None = None
        self._follower: Follower | None = None
        self._tasks = Tasks("staging for jobs")
        self._slots = asyncio.Semaphore(_STAGING_AT_ONCE)

    def _endpoint(self) -> Endpoint | None:
        """Where the service is; None: found as the command does, and again after it was started anew."""
        if self.url is None:
            return None
        if self._settings.token_file is not None:
            return Endpoint(self.url.rstrip("/"), read_token(Path(self._settings.token_file).expanduser()))
        return discover({**os.environ, "ARGOSY_URL": self.url})

    def _open(self) -> tuple[AsyncClient, Follower]:
        if self._pid != os.getpid():
            self._reset()  # in a forked child the connection and the jobs are the parent's
        if self._client is None or self._follower is None:
            self._client = AsyncClient(self._endpoint())
            # PSI/J's executors have no end of their own; its connections go when nobody has it any more.
            weakref.finalize(self, _let_go, self._client, asyncio.get_running_loop())
            self._follower = Follower(self._client, self._changed, self._ended, self._away)
        return self._client, self._follower

    # -- submitting -------------------------------------------------------------------------------

    def submit(self, job: Job | Sequence[Job]) -> None:
        asked: list[tuple[Job, Description, list[Upload]]] = []
        bound: list[Job] = []
        handed_over = 0
        try:
            for one in self.jobs_of(job):
                self.check(one)
                self.bind(one)
                bound.append(one)
                assert one.spec is not None
                try:
                    asked.append((one, *describe(one.spec, self._settings.share)))
                except OSError as error:
                    raise InvalidJobException(
                        f"{error.filename}: {error.strerror}", error, element="stage_in"
                    ) from error
            while handed_over < len(asked):
                some = asked[handed_over : handed_over + _AT_ONCE]
                handed_over += len(some)
                for outcome in call(self._submit_or_unbind(some)):
                    if outcome is not None:
                        raise outcome
        finally:
            self.unbind(bound[handed_over:])

    async def _submit_or_unbind(self, asked: list[tuple[Job, Description, list[Upload]]]) -> list[ArgosyError | None]:
        # Here, and not where it is waited for: whoever waits may be interrupted, and the submission goes on.
        try:
            return await self._submit(asked)
        finally:
            self.unbind([job for job, _, _ in asked])

    async def _submit(self, asked: list[tuple[Job, Description, list[Upload]]]) -> list[ArgosyError | None]:
        try:
            client, follower = self._open()
        except ArgosyError as error:
            raise _refused(error) from error
        with follower.expecting():
            return await self._submit_to(client, follower, asked)

    async def _submit_to(
        self, client: AsyncClient, follower: Follower, asked: list[tuple[Job, Description, list[Upload]]]
    ) -> list[ArgosyError | None]:
        try:
            # The job's own id as submission id: asked again, after an answer that was lost, it is the same activity.
            results = await client.submit_many(
                [one for _, one, _ in asked], keys=[f"psij-{job.id}" for job, _, _ in asked]
            )
        except ArgosyError as error:
            raise _refused(error) from error
        errors: list[ArgosyError | None] = []
        accepted: list[str] = []
        for (job, _, uploads), result in zip(asked, results, strict=True):
            if result.activity is None:
                assert result.problem is not None
                errors.append(_refused(from_problem(result.problem)))
                continue
            errors.append(None)
            id = result.activity.id
            self._jobs.setdefault(id, []).append(job)
            self.accept(job, id)
            accepted.append(id)
            if uploads:
                self._tasks.start(self._stage_in(client, job, id, uploads))
        await follower.follow(accepted)
        return errors

    async def _stage_in(self, client: AsyncClient, job: Job, id: str, uploads: list[Upload]) -> None:
        job.status = JobStatus(JobState.STAGE_IN, metadata={"native_id": id})
        try:
            async with self._slots:
                await upload(client, id, uploads)
        except (ArgosyError, OSError) as error:
            if job.status.final:
                return  # cancelled meanwhile
            self._drop(job, id)
            log.warning("stage-in of %s failed: %s", id, error)
            await self._quietly(client.terminate(id))
            job.status = JobStatus(JobState.FAILED, message=f"stage-in failed: {error}", metadata={"native_id": id})

    # -- following --------------------------------------------------------------------------------

    async def _changed(self, event: EventDocument) -> None:
        for job in list(self._jobs.get(event.activity, ())):
            state = psij(ActivityState(event.state), staging=_stages(job))
            metadata: dict[str, object] = {"native_id": event.activity}
            job.status = JobStatus(state, _seconds(event.time), event.message, metadata=metadata)

    async def _ended(self, id: str, activity: ActivityDocument | None) -> None:
        for job in list(self._jobs.get(id, ())):
            if activity is None:
                self._finish(job, id, JobStatus(JobState.FAILED, message=f"the service knows nothing of {id} any more"))
            else:
                self._tasks.start(self._conclude(job, id, activity))

    async def _conclude(self, job: Job, id: str, activity: ActivityDocument) -> None:
        client, _ = self._open()
        state = psij(ActivityState(activity.state), activity.exit_code)
        if activity.started is not None and job.status.state is JobState.QUEUED:
            # Its start and its end came together.
            job.status = JobStatus(JobState.ACTIVE, _seconds(activity.started), metadata={"native_id": id})
        message = activity.reason if state is not JobState.COMPLETED else None
        spec = job.spec
        if spec is not None and spec.stage_out:
            if state is JobState.COMPLETED or activity.started is not None:
                job.status = JobStatus(JobState.STAGE_OUT, metadata={"native_id": id})
            try:
                async with self._slots:
                    wrong = await download(client, id, spec.stage_out, state)
            except ArgosyError as error:
                wrong = f"stage-out failed: {error}"
            if wrong is not None:
                log.warning("%s: %s", id, wrong)
                state = JobState.FAILED if state is JobState.COMPLETED else state
                message = f"{message}; {wrong}" if message else wrong
        if self._settings.purge and self._jobs.get(id) == [job]:
            await self._quietly(client.purge(id))
        self._finish(job, id, _final(activity, state, message))

    def _finish(self, job: Job, id: str, status: JobStatus) -> None:
        self._drop(job, id)
        job.status = status

    def _drop(self, job: Job, id: str) -> None:
        left = [one for one in self._jobs.get(id, ()) if one is not job]
        if left:
            self._jobs[id] = left
        else:
            self._jobs.pop(id, None)

    async def _away(self, why: str, since: float) -> None:
        if time.time() - since < self._settings.lost_after:
            return
        for id, job in [(id, job) for id, jobs in self._jobs.items() for job in jobs]:
            silent = time.time() - since
            message = f"the service has not answered for {silent:.0f} s ({why}); what became of {id} is not known"
            self._finish(job, id, JobStatus(JobState.FAILED, message=message))
            if self._follower is not None:
                self._follower.open.discard(id)

    async def _quietly(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except ArgosyError as error:
            log.warning("%s", error)

    # -- the rest ---------------------------------------------------------------------------------

    def cancel(self, job: Job) -> None:
        self.cancel_many([job])

    def cancel_many(self, jobs: Sequence[Job]) -> None:
        left = [job for job in jobs if not job.status.final]
        for job in left:
            self.check_own(job)
        for refused in call(self._cancel_all([job.native_id or "" for job in left])):
            if refused is not None:
                raise refused

    async def _cancel_all(self, ids: Sequence[str]) -> Sequence[ArgosyError | None]:
        slots = asyncio.Semaphore(_STAGING_AT_ONCE)

        async def one(id: str) -> ArgosyError | None:
            async with slots:
                try:
                    await self._cancel(id)
                except ArgosyError as error:
                    return error
            return None

        return await asyncio.gather(*(one(id) for id in ids))

    async def _cancel(self, id: str) -> None:
        client, _ = self._open()
        try:
            await client.terminate(id)
        except InvalidStateException:
            return  # it has ended meanwhile
        except ArgosyError as error:
            raise _refused(error) from error

    def attach(self, job: Job, native_id: str) -> None:
        self.check_attach(job)
        if not native_id:
            raise InvalidJobException("an activity's id is needed to attach to", element="native_id")
        self.bind(job)
        call(self._attach_or_unbind(job, native_id))

    async def _attach_or_unbind(self, job: Job, id: str) -> None:
        try:
            await self._attach(job, id)
        finally:
            self.unbind([job])

    async def _attach(self, job: Job, id: str) -> None:
        client, follower = self._open()
        # Before it is asked about: what happens meanwhile is told of this one too.
        self._jobs.setdefault(id, []).append(job)
        try:
            activity: ActivityDocument | None = await client.status(id)
        except NotFound:
            activity = None
        except ArgosyError as error:
            self._drop(job, id)
            raise _refused(error) from error
        job.spec = JobSpec()
        if activity is None:
            job.native_id = id
            self._finish(job, id, JobStatus(JobState.FAILED, message=f"the service knows nothing of {id}"))
            return
        self.accept(job, id)
        if activity.final:
            await self._conclude(job, id, activity)
            return
        job.status = JobStatus(
            psij(ActivityState(activity.state), activity.exit_code), message=activity.reason, metadata={"native_id": id}
        )
        await follower.follow([id])
        follower.look()

    async def _list(self) -> list[str]:
        client, _ = self._open()
        try:
            return [one.id async for one in client.list(states=["pending", "running"])]
        except ArgosyError as error:
            raise _refused(error) from error

    def list(self) -> list[str]:
        return call(self._list())

    async def _observe(self, native_ids: Sequence[str]) -> dict[str, Observation]:
        client, _ = self._open()
        seen: dict[str, Observation] = {}
        try:
            for begin in range(0, len(native_ids), _AT_ONCE):
                for result in await client.statuses(native_ids[begin : begin + _AT_ONCE]):
                    if result.activity is not None:
                        seen[result.activity.id] = observed(result.activity)
        except ArgosyError as error:
            raise _refused(error) from error
        return seen

    def observe(self, native_ids: Sequence[str]) -> Mapping[str, Observation]:
        return call(self._observe(native_ids))


def _let_go(client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(client.aclose(), loop)


def _stages(job: Job) -> bool:
    """Whether the states of staging are told of: they mean nothing to one who asked for none."""
    return job.spec is not None and bool(job.spec.stage_in or job.spec.stage_out)


def _refused(error: ArgosyError) -> ArgosyError:
    """The service's refusal as PSI/J's exception."""
    if isinstance(error, InvalidStateException):
        return error
    if isinstance(error, InvalidInput):
        element = error.element
        if element is not None:
            element = in_the_models_terms(_OF_A_VECTOR.sub("", element))
        return InvalidJobException(error.message, error, element=element)
    return SubmitException(error.message, error, transient=isinstance(error, Unavailable))


def _final(activity: ActivityDocument, state: JobState, message: str | None) -> JobStatus:
    metadata: dict[str, object] = {"native_id": activity.id}
    if activity.hosts:
        metadata["hosts"] = list(activity.hosts)
    if activity.usage is not None:
        used = activity.usage
        metadata["usage"] = Usage(used.cpu_seconds, used.wall_seconds, used.max_rss)
    ended = activity.ended or activity.changed
    return JobStatus(state, _seconds(ended), message, activity.exit_code, metadata)


def _seconds(time_: str) -> float:
    return datetime.fromisoformat(time_).timestamp()
