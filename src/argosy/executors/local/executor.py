"""PSI/J's JobExecutor over local processes, without any other process in between.

Jobs are children of the calling process. They go on when it ends, but nobody then learns their exit codes: the service,
whose jobs must outlive it, uses the reaper instead (`LocalDriver`).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from argosy.executors.executor import JobExecutor, JobExecutorConfig, JobNotNew
from argosy.executors.job import Job
from argosy.executors.loop import background_loop
from argosy.executors.places import spools
from argosy.model import (
    ArgosyError,
    InvalidJobException,
    InvalidStateException,
    JobSpec,
    JobState,
    JobStatus,
    Observation,
    Phase,
    SubmitException,
    Unavailable,
    Usage,
)

from .child import Encoded, NotStarted, Prepared, Started, encode, reap, start
from .ends import ends
from .processes import Leader, Table, send
from .spawn import prepare, usage

if TYPE_CHECKING:
    from .staged import StagedJobs

#: How often all processes of a cancelled job are looked for and killed.
_KILL_ROUNDS = 20
#: What a cancelled job that stages has between SIGTERM and SIGKILL, in seconds.
_GRACE = 10.0


#: A list of so many jobs is started by several threads.
_MANY = 16
#: Half as many again as processors waits for no processor; four are enough for what one interpreter can do.
_STARTERS = min(4, len(os.sched_getaffinity(0)) + 1)
#: So many are prepared before the first of them is started, and so many started before anything is noted of them: what
#: is done many times in a row is done several times faster than what alternates with the start of a process.
_PREPARED_AT_ONCE = 4096
_STARTED_AT_ONCE = 8


class _Ready(NamedTuple):
    """A job that can be started. `encoded`: as the system is given it."""

    job: Job
    prepared: Prepared
    encoded: Encoded | None
    staged: StagedJobs | None


class _Begun(NamedTuple):
    """What came of starting it: `when` is in seconds since the epoch, `began` by `time.monotonic`."""

    ready: _Ready
    outcome: Started | NotStarted
    when: float
    began: float


class _Running:
    """A process of ours that has not been reaped."""

    __slots__ = ("began", "cancelled", "job", "staged", "started")

    def __init__(self, job: Job, started: Started, began: float, staged: StagedJobs | None) -> None:
        self.job = job
        self.started = started
        self.began = began
        self.cancelled = False
        self.staged = staged


class LocalJobExecutor(JobExecutor):
    """Runs jobs on this machine, each at once."""

    name = "local"

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        if url is not None:
            raise ValueError(f"the local executor runs jobs on this machine; it takes no url, got {url!r}")
        self._running: dict[int, _Running] = {}
        self._staged: StagedJobs | None = None
        # While it is held, none of the running processes is reaped: their ids are theirs.
        self._reaping = threading.Lock()

    def submit(self, job: Job | Sequence[Job]) -> None:
        if isinstance(job, Job):
            self._note(_start(self._prepare(job)))
            return
        jobs = self.jobs_of(job)
        if len(jobs) < _MANY:
            for one in jobs:
                self._note(_start(self._prepare(one)))
        else:
            for first in range(0, len(jobs), _PREPARED_AT_ONCE):
                self._submit_many(jobs[first : first + _PREPARED_AT_ONCE])

    def _submit_many(self, jobs: Sequence[Job]) -> None:
        """Start jobs from several threads: most of each start is waiting for the system, which another can use."""
        ready: dict[int, _Ready] = {}
        fault: ArgosyError | None = None
        for job in jobs:
            try:
                if id(job) in ready:
                    raise JobNotNew("the job is in the list twice")
                ready[id(job)] = self._prepare(job)
            except ArgosyError as error:
                fault = error
                break
        left = iter(ready.values())

        def start_some() -> None:
            # Each goes to one of the threads: the iterator is the interpreter's own.
            while some := list(islice(left, _STARTED_AT_ONCE)):
                for begun in [_start(one) for one in some]:
                    self._note(begun)

        with ThreadPoolExecutor(_STARTERS, thread_name_prefix="argosy-start") as pool:
            starters = [pool.submit(start_some) for _ in range(_STARTERS)]
        for starter in starters:
            starter.result()
        if fault is not None:
            raise fault

    def _prepare(self, job: Job) -> _Ready:
        self.check(job)
        spec = job.spec
        assert spec is not None
        if not spec.stages:
            prepared = prepare(spec, None, os.environ, job.id)
            return _Ready(job, prepared, encode(prepared), None)
        try:
            staged = self._staged_jobs()
            prepared = staged.prepare(spec, os.environ, job.id)
        except (OSError, Unavailable) as error:
            raise SubmitException(f"the job's script cannot be written: {error}", error, transient=True) from error
        return _Ready(job, prepared, encode(prepared), staged)

    def _note(self, begun: _Begun) -> None:
        """A job's process was started, or could not be: from now on the job is this executor's."""
        (job, _, _, staged), outcome, when, began = begun
        if isinstance(outcome, NotStarted):
            if staged is not None:
                staged.forget(job.id, "")
            # The job is as it should be, its program is not there: that is the job's end, not a refusal.
            job.executor = self
            job.status = JobStatus(JobState.QUEUED, when)
            job.status = JobStatus(JobState.FAILED, message=outcome.message, exit_code=outcome.exit_code)
            return
        running = _Running(job, outcome, began, staged)
        self._running[outcome.pid] = running
        self.accept(job, str(outcome.pid))
        if staged is not None:
            staged.watch(job)
        else:
            job.status = JobStatus(JobState.ACTIVE, when, metadata={"native_id": job.native_id})
        ends().watch(outcome.pidfd, partial(self._ended, running))

    def _ended(self, running: _Running) -> None:
        pid = running.started.pid
        try:
            with self._reaping:
                del self._running[pid]
                os.close(running.started.pidfd)
                ended = reap(pid)
        except ChildProcessError:
            # Somebody in this program waits for every child, or ignores SIGCHLD, and took the exit code.
            if running.staged is not None:
                running.staged.ended(running.job)
            running.job.status = JobStatus(
                JobState.FAILED, message="its exit code was taken by another part of this program"
            )
            return
        used = usage(ended, time.monotonic() - running.began)
        record = None if running.staged is None else running.staged.ended(running.job)
        code: int | None = ended.exit_code
        message = None if record is None else record.note
        if record is not None:
            code = record.exit_code if record.ran else None
        if running.cancelled:
            state, message = JobState.CANCELED, "; ".join(filter(None, ("cancelled", message)))
        else:
            failed = record is not None and record.failed
            state = JobState.COMPLETED if code == 0 and not failed else JobState.FAILED
            if ended.signal is not None:
                message = f"ended by signal {ended.signal}"
        running.job.status = JobStatus(
            state,
            message=message,
            exit_code=code,
            metadata={"native_id": running.job.native_id, "usage": used},
        )

    def cancel(self, job: Job) -> None:
        if job.status.final:
            return
        with self._reaping:
            running = self._own(job)
            if running is None:
                return
            running.cancelled = True
            leader = Leader(running.started.pid, running.started.start_time)
        if running.staged is None:
            _kill(job.id, leader)
            return
        # Time for what is staged out, or removed, of a cancelled job.
        members = Table().members(job.id, leader)
        send(members, signal.SIGTERM)
        send(members, signal.SIGCONT)
        loop = background_loop()
        loop.call_soon_threadsafe(loop.call_later, _GRACE, self._kill_running, running, leader)

    def _kill_running(self, running: _Running, leader: Leader) -> None:
        if self._running.get(leader.pid) is running:
            _kill(running.job.id, leader)

    def _staged_jobs(self) -> StagedJobs:
        if self._staged is None or self._staged.pid != os.getpid():
            from .staged import StagedJobs  # most programs stage nothing

            self._staged = StagedJobs(spools(self.config.work_directory, self.name))
        return self._staged

    def suspend(self, job: Job) -> None:
        """Stop a running job."""
        self._send(job, signal.SIGSTOP)

    def resume(self, job: Job) -> None:
        """Let a suspended job go on."""
        self._send(job, signal.SIGCONT)

    def _send(self, job: Job, number: signal.Signals) -> None:
        with self._reaping:
            running = self._own(job)
            if running is None:
                raise InvalidStateException("the job has ended")
            # It leads a process group of its own. It may have ended, and not have been reaped.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.started.pid, number)

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
        ends().watch(fd, partial(self._attached_ended, job, fd))

    def _attached_ended(self, job: Job, fd: int) -> None:
        os.close(fd)
        # Only a parent learns an exit code: that it ended is all that can be known.
        job.status = JobStatus(JobState.COMPLETED, message="it has ended; its exit code is known to its parent only")

    def observe(self, native_ids: Sequence[str]) -> Mapping[str, Observation]:
        """Those of this executor's processes that have not ended."""
        processes = Table().processes
        seen: dict[str, Observation] = {}
        for pid, running in list(self._running.items()):
            process = processes.get(pid)
            if str(pid) not in native_ids or process is None or process.state in "ZX":
                continue
            spec = running.job.spec
            wall = time.monotonic() - running.began
            seen[str(pid)] = Observation(
                str(pid),
                Phase.SUSPENDED if process.state == "T" else Phase.RUNNING,
                process.state,
                tag=running.job.id,
                name=None if spec is None else spec.name,
                hosts=(socket.gethostname(),),
                started=time.time() - wall,
                usage=Usage(wall_seconds=wall),
            )
        return seen

    def list(self) -> list[str]:
        return [str(pid) for pid, running in self._running.items() if not _is_over(running.started.pidfd)]


def _start(ready: _Ready) -> _Begun:
    when, began = time.time(), time.monotonic()
    outcome: Started | NotStarted
    try:
        outcome = start(ready.prepared, ready.encoded)
    except NotStarted as error:
        outcome = error
    return _Begun(ready, outcome, when, began)


def _is_over(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def _kill(tag: str, leader: Leader) -> None:
    # Its processes may be starting others: until no living one is left, or the system will not end them.
    for _ in range(_KILL_ROUNDS):
        if not send(Table().members(tag, leader), signal.SIGKILL):
            break
