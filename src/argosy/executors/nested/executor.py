"""PSI/J's JobExecutor inside an allocation: a queue, and the processes of the jobs that have their share of it.

A job that waits costs no process and no thread; one that runs is one local process (itself, or the srun of its step),
watched by the library's one event loop. Jobs that have not started are lost when the program ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from argosy.executors.executor import JobExecutor, JobExecutorConfig
from argosy.executors.job import Job
from argosy.executors.local.child import Ended, NoRoom, NotStarted, Prepared, reap, start, start_time
from argosy.executors.local.notes import Notes
from argosy.executors.local.processes import Leader
from argosy.executors.local.spawn import leaves_notes, usage
from argosy.executors.loop import background_loop
from argosy.executors.origins import Origins
from argosy.model import InvalidJobException, JobSpec, JobState, JobStatus, Origin, SubmitException, Unavailable, Usage

from .packing import Need, Placement, Pool

log = logging.getLogger(__name__)

#: How long a cancelled job's process may take to end by itself, in seconds.
_GRACE = 15.0
#: Where the system has no room for a process: when to look again, in seconds.
_LOOK_AGAIN = 0.5
#: And how long a job waits for it where no other runs whose end would make some, in seconds.
_PATIENCE = 60.0
_NEVER_STARTED = "cancelled before it started"


class Starter(ABC):
    """How jobs are started in one kind of allocation, and ended."""

    #: For people: ``the Slurm job 7``.
    where: str
    pool: Pool

    @abstractmethod
    def need(self, spec: JobSpec) -> Need:
        """What the job takes of the allocation. Raises InvalidJobException for what cannot be started there."""

    @abstractmethod
    def prepare(self, spec: JobSpec, placement: Placement, tag: str, note: str, origin: Origin) -> Prepared:
        """The process that starts the job where it was placed. In the file `note` its scripts leave theirs.

        `origin` is the program's directory and environment when the job was submitted.
        """

    @abstractmethod
    def end(self, tag: str, leader: Leader) -> None:
        """Make the processes of a running job end, now."""

    @abstractmethod
    def force(self, tag: str, leader: Leader) -> None:
        """Make them end after `end` had no effect for a while. Called in a thread of its own."""

    def clean(self, tags: Sequence[str]) -> dict[str, str]:
        """See that nothing is left of cancelled jobs whose process has ended; for each where that cannot be said, why.

        Called in a thread of its own, for all that have ended meanwhile together.
        """
        del tags
        return {}

    def usage(self, ended: Ended, wall_seconds: float) -> Usage:
        """What the job used, as far as its process tells."""
        return usage(ended, wall_seconds)

    def explain(self, ended: Ended) -> str | None:
        """What an exit status says beyond itself."""
        return f"ended by signal {ended.signal}" if ended.signal is not None else None


def directory_of(spec: JobSpec, origin: Origin) -> str | None:
    """Where a job runs that names no directory: where its program was. None where it names one."""
    return origin.directory if spec._directory is None else None


class _Entry:
    """A job from its submission to its end, and the handles on it."""

    __slots__ = (
        "began",
        "cancelled",
        "ended",
        "jobs",
        "need",
        "no_room",
        "origin",
        "pid",
        "pidfd",
        "placement",
        "spec",
        "tag",
    )

    def __init__(self, job: Job, spec: JobSpec, need: Need, origin: Origin) -> None:
        self.tag = job.id
        self.jobs = [job]
        self.spec = spec
        self.need = need
        self.origin = origin
        #: Since when the system has had no room for it while nothing else ran here.
        self.no_room: float | None = None
        self.placement: Placement | None = None
        self.pid: int | None = None
        self.pidfd = -1
        self.began = 0.0
        self.cancelled = False
        self.ended: Ended | None = None

    def tell(self, status: JobStatus) -> None:
        for job in self.jobs:
            job.status = status

    @property
    def metadata(self) -> dict[str, object]:
        hosts = list(self.placement.nodes) if self.placement else []
        return {"native_id": self.tag, "hosts": hosts}


class NestedJobExecutor(JobExecutor):
    """Runs jobs in the allocation that this program is in, in the order in which they come.

    The native id of a job is its own id: the batch system knows of the allocation only.
    """

    name = "nested"

    def __init__(self, starter: Starter, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        self.starter = starter
        self._pool = starter.pool
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._waiting: deque[_Entry] = deque()
        self._pumping = False
        self._notes: Notes | None = None
        self._origins = Origins()
        self._look_again: asyncio.TimerHandle | None = None
        self._cleaning: list[_Entry] = []
        self._cleaner: asyncio.Task[None] | None = None

    # -- submitting -------------------------------------------------------------------------------

    def submit(self, job: Job | Sequence[Job]) -> None:
        try:
            for one in self.jobs_of(job):
                self._submit(one)
        finally:
            self._pump_soon()

    def _submit(self, job: Job) -> None:
        self.check(job)
        spec = job.spec
        assert spec is not None
        if spec.stages:
            element = next(name for name in ("stage_in", "stage_out", "cleanup") if getattr(spec, name))
            raise InvalidJobException("the nested executor moves no files; let its program do it", element=element)
        need = self.starter.need(spec)
        self._pool.check(need)
        if leaves_notes(spec) and self._notes is None:
            try:
                self._notes = Notes.new(self.config.work_directory, self.name)
            except (OSError, Unavailable) as error:
                raise SubmitException(f"the job cannot be prepared: {error}", error, transient=True) from error
        self.bind(job)
        entry = _Entry(job, spec, need, self._origins.now())
        with self._lock:
            self._entries[entry.tag] = entry
        # Before it can be started: it may be that the queue is just being looked at.
        self.accept(job, entry.tag)
        with self._lock:
            if not entry.cancelled:
                self._waiting.append(entry)

    def _pump_soon(self) -> None:
        with self._lock:
            if self._pumping:
                return
            self._pumping = True
        background_loop().call_soon_threadsafe(self._pump)

    # -- in the event loop ------------------------------------------------------------------------

    def _pump(self) -> None:
        """Start one job that is next and fits, and come again: other work of the loop goes on between."""
        with self._lock:
            self._pumping = False
            entry = self._next()
        if entry is not None:
            self._start(entry)
            if entry.placement is not None:
                self._pump_soon()

    def _next(self) -> _Entry | None:
        if not self._waiting:
            return None
        placement = self._pool.take(self._waiting[0].need)
        if placement is None:
            return None
        entry = self._waiting.popleft()
        entry.placement = placement
        return entry

    def _start(self, entry: _Entry) -> None:
        assert entry.placement is not None
        try:
            note = "" if self._notes is None else self._notes.path(entry.tag)
            started = start(self.starter.prepare(entry.spec, entry.placement, entry.tag, note, entry.origin))
        except NotStarted as error:
            if isinstance(error, NoRoom) and self._put_back(entry):
                return
            self._finish(entry, JobStatus(JobState.FAILED, message=error.message, exit_code=error.exit_code))
            return
        except Exception as error:
            log.exception("the job %s could not be started", entry.tag)
            self._finish(entry, JobStatus(JobState.FAILED, message=f"it could not be started: {error}"))
            return
        entry.began = time.monotonic()
        entry.pidfd = started.pidfd
        with self._lock:
            entry.pid = started.pid
            cancelled = entry.cancelled
        asyncio.get_running_loop().add_reader(entry.pidfd, self._ended, entry)
        entry.tell(JobStatus(JobState.ACTIVE, metadata=entry.metadata))
        if cancelled:
            self._end(entry)

    def _put_back(self, entry: _Entry) -> bool:
        """The system has no room for its process: let it wait, as the first, until there is some.

        False: it has waited long enough, and no other job runs here that would make room by its end.
        """
        with self._lock:
            others = any(other.pid is not None for other in self._entries.values())
            if others:
                entry.no_room = None
            elif entry.no_room is None:
                entry.no_room = time.monotonic()
            elif time.monotonic() - entry.no_room > _PATIENCE:
                return False
            cancelled = entry.cancelled
            if not cancelled:
                assert entry.placement is not None
                self._pool.give_back(entry.placement)
                entry.placement = None
                self._waiting.appendleft(entry)
        if cancelled:
            self._finish(entry, JobStatus(JobState.CANCELED, message=_NEVER_STARTED))
        elif self._look_again is None:
            self._look_again = asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._look)
        return True

    def _look(self) -> None:
        self._look_again = None
        self._pump_soon()

    def _ended(self, entry: _Entry) -> None:
        asyncio.get_running_loop().remove_reader(entry.pidfd)
        os.close(entry.pidfd)
        assert entry.pid is not None
        with self._lock:
            pid, entry.pid = entry.pid, None
        try:
            entry.ended = reap(pid)
        except ChildProcessError:
            message = "its exit code was taken by another part of this program"
            self._finish(entry, JobStatus(JobState.FAILED, message=message, metadata=entry.metadata))
            return
        note = None if self._notes is None else self._notes.take(entry.tag)
        if entry.cancelled:
            self._cleaning.append(entry)
            if self._cleaner is None:
                self._cleaner = asyncio.get_running_loop().create_task(self._clean())
            return
        state = JobState.COMPLETED if entry.ended.exit_code == 0 else JobState.FAILED
        words = (self.starter.explain(entry.ended), None if note is None else note.words)
        status = self._status(entry, state, "; ".join(filter(None, words)) or None)
        if note is not None and not note.ran:
            status.exit_code = None  # it is that of what came before the application
        self._finish(entry, status)

    def _status(self, entry: _Entry, state: JobState, message: str | None) -> JobStatus:
        assert entry.ended is not None
        used = self.starter.usage(entry.ended, time.monotonic() - entry.began)
        metadata = entry.metadata | {"usage": used}
        return JobStatus(state, message=message, exit_code=entry.ended.exit_code, metadata=metadata)

    def _finish(self, entry: _Entry, status: JobStatus) -> None:
        with self._lock:
            self._entries.pop(entry.tag, None)
            if entry.placement is not None:
                self._pool.give_back(entry.placement)
        entry.tell(status)
        self._pump_soon()

    async def _clean(self) -> None:
        loop = asyncio.get_running_loop()
        while self._cleaning:
            entries, self._cleaning = self._cleaning, []
            try:
                left = await loop.run_in_executor(None, self.starter.clean, [entry.tag for entry in entries])
            except Exception as error:
                log.exception("what is left of cancelled jobs could not be looked for")
                left = {entry.tag: str(error) for entry in entries}
            for entry in entries:
                message = "cancelled"
                if entry.tag in left:
                    message += f"; whether all of it has ended is not known: {left[entry.tag]}"
                self._finish(entry, self._status(entry, JobState.CANCELED, message))
        self._cleaner = None

    # -- cancelling -------------------------------------------------------------------------------

    def cancel(self, job: Job) -> None:
        if job.status.final:
            return
        self.check_own(job)
        with self._lock:
            entry = self._entries.get(job.native_id or "")
            if entry is None and job.executor is None:
                raise SubmitException(f"this program has no job {job.native_id} in its allocation")
            if entry is None or entry.cancelled:
                return
            entry.cancelled = True
            waiting = entry.placement is None
            if waiting and entry in self._waiting:
                self._waiting.remove(entry)
        if waiting:
            background_loop().call_soon_threadsafe(
                self._finish, entry, JobStatus(JobState.CANCELED, message=_NEVER_STARTED)
            )
        else:
            background_loop().call_soon_threadsafe(self._end, entry)

    def _end(self, entry: _Entry) -> None:
        if entry.pid is None:
            return  # it is just being started, or has ended
        self.starter.end(entry.tag, _leader(entry.pid))
        asyncio.get_running_loop().call_later(_GRACE, self._force, entry, entry.pid)

    def _force(self, entry: _Entry, pid: int) -> None:
        if entry.pid == pid:
            asyncio.get_running_loop().run_in_executor(None, self.starter.force, entry.tag, _leader(pid))

    # -- looking ----------------------------------------------------------------------------------

    def attach(self, job: Job, native_id: str) -> None:
        self.check_attach(job)
        self.bind(job)
        job.spec = JobSpec()
        job.native_id = native_id
        with self._lock:
            entry = self._entries.get(native_id)
            if entry is not None:
                entry.jobs.append(job)
                status = entry.jobs[0].status
        if entry is None:
            job.status = JobStatus(JobState.FAILED, message=f"this program has no job {native_id} in its allocation")
        else:
            job.status = status

    def list(self) -> list[str]:
        with self._lock:
            return list(self._entries)


def _leader(pid: int) -> Leader:
    """A child of this program that has not been reaped."""
    return Leader(pid, start_time(pid))
