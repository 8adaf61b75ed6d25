"""PSI/J's JobExecutor over local processes, without any other process in between.

Jobs are children of the calling process. They go on when it ends, but nobody then learns their exit codes: the service,
whose jobs must outlive it, uses the reaper instead (`LocalDriver`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence

from argosy.executors.executor import JobExecutor, JobExecutorConfig
from argosy.executors.job import Job
from argosy.executors.loop import background_loop
from argosy.model import InvalidJobException, InvalidStateException, JobSpec, JobState, JobStatus

from .child import NotStarted, Started, reap, start
from .processes import Leader, Table, send
from .spawn import prepare, usage

#: How often all processes of a cancelled job are looked for and killed.
_KILL_ROUNDS = 20


class _Running:
    """A process of ours that has not been reaped."""

    __slots__ = ("began", "cancelled", "job", "started")

    def __init__(self, job: Job, started: Started, began: float) -> None:
        self.job = job
        self.started = started
        self.began = began
        self.cancelled = False


class LocalJobExecutor(JobExecutor):
    """Runs jobs on this machine, each at once."""

    name = "local"

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        if url is not None:
            raise ValueError(f"the local executor runs jobs on this machine; it takes no url, got {url!r}")
        self._running: dict[int, _Running] = {}

    def submit(self, job: Job | Sequence[Job]) -> None:
        for one in [job] if isinstance(job, Job) else job:
            self._submit(one)

    def _submit(self, job: Job) -> None:
        self.check(job)
        spec = job.spec
        assert spec is not None
        prepared = prepare(spec, None, os.environ, job.id)
        now = time.time()
        try:
            started = start(prepared)
        except NotStarted as error:
            # The job is as it should be, its program is not there: that is the job's end, not a refusal.
            job.executor = self
            job.status = JobStatus(JobState.QUEUED, now)
            job.status = JobStatus(JobState.FAILED, message=error.message, exit_code=error.exit_code)
            return
        running = _Running(job, started, time.monotonic())
        self._running[started.pid] = running
        self.accept(job, str(started.pid))
        job.status = JobStatus(JobState.ACTIVE, now, metadata={"native_id": job.native_id})
        background_loop().call_soon_threadsafe(self._watch, running)

    def _watch(self, running: _Running) -> None:
        asyncio.get_running_loop().add_reader(running.started.pidfd, self._ended, running)

    def _ended(self, running: _Running) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(running.started.pidfd)
        os.close(running.started.pidfd)
        del self._running[running.started.pid]
        try:
            ended = reap(running.started.pid)
        except ChildProcessError:
            # Somebody in this program waits for every child, or ignores SIGCHLD, and took the exit code.
            running.job.status = JobStatus(
                JobState.FAILED, message="its exit code was taken by another part of this program"
            )
            return
        used = usage(ended, time.monotonic() - running.began)
        message = None
        if running.cancelled:
            state, message = JobState.CANCELED, "cancelled"
        else:
            state = JobState.COMPLETED if ended.exit_code == 0 else JobState.FAILED
            if ended.signal is not None:
                message = f"ended by signal {ended.signal}"
        running.job.status = JobStatus(
            state,
            message=message,
            exit_code=ended.exit_code,
            metadata={"native_id": running.job.native_id, "usage": used},
        )

    def cancel(self, job: Job) -> None:
        if job.status.final:
            return
        running = self._own(job)
        if running is None:
            return
        running.cancelled = True
        leader = Leader(running.started.pid, running.started.start_time)
        # Its processes may be starting others: until no living one is left, or the system will not end them.
        for _ in range(_KILL_ROUNDS):
            if not send(Table().members(job.id, leader), signal.SIGKILL):
                break

    def suspend(self, job: Job) -> None:
        """Stop a running job."""
        self._send(job, signal.SIGSTOP)

    def resume(self, job: Job) -> None:
        """Let a suspended job go on."""
        self._send(job, signal.SIGCONT)

    def _send(self, job: Job, number: signal.Signals) -> None:
        running = self._own(job)
        if running is None:
            raise InvalidStateException("the job has ended")
        _signal(running, number)

    def _own(self, job: Job) -> _Running | None:
        self.check_own(job)
        return self._running.get(int(job.native_id or 0))

    def attach(self, job: Job, native_id: str) -> None:
        self.check_attach(job)
        job.spec = JobSpec()
        job.executor = self
        job.native_id = native_id
        try:
            pid = int(native_id)
            fd = os.pidfd_open(pid)
        except ValueError:
            raise InvalidJobException(f"{native_id!r} is not a process id", element="native_id") from None
        except OSError as error:
            job.status = JobStatus(JobState.FAILED, message=f"process {native_id}: {error.strerror}")
            return
        job.status = JobStatus(JobState.QUEUED, metadata={"native_id": native_id})
        job.status = JobStatus(JobState.ACTIVE, metadata={"native_id": native_id})
        background_loop().call_soon_threadsafe(self._watch_attached, job, fd)

    def _watch_attached(self, job: Job, fd: int) -> None:
        asyncio.get_running_loop().add_reader(fd, self._attached_ended, job, fd)

    def _attached_ended(self, job: Job, fd: int) -> None:
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
        # Only a parent learns an exit code: that it ended is all that can be known.
        job.status = JobStatus(JobState.COMPLETED, message="it has ended; its exit code is known to its parent only")

    def list(self) -> list[str]:
        return [str(pid) for pid, running in self._running.items() if not _is_over(running.started.pidfd)]


def _is_over(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def _signal(running: _Running, number: signal.Signals) -> None:
    # It leads a process group of its own, and its pid cannot be another's while it has not been reaped.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.started.pid, number)
