"""PSI/J's JobExecutor over local processes, without any other process in between.

Jobs are children of the calling process. They go on when it ends, but nobody then learns their exit codes: the service,
whose jobs must outlive it, uses the reaper instead (`LocalDriver`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
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

from .child import Encoded, NoRoom, NotStarted, Prepared, Started, encode, reap, start
from .ends import ends
from .foreign import Attached, find, process_id, signal_all
from .notes import Notes
from .processes import Leader, Table, open_process, send
from .spawn import leaves_notes, prepare, usage

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

#: The processes of all executors of this program that have not been reaped: one may be asked for another's.
_running: dict[int, _Running] = {}
#: While it is held, none of them is reaped: their ids are theirs.
_reaping = threading.Lock()


def _renew_lock() -> None:
    # Another thread of the parent may have held it.
    global _reaping
    _reaping = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class _Ready(NamedTuple):
    """A job that can be started. `encoded`: as the system is given it. `notes`: where its scripts leave theirs."""

    job: Job
    prepared: Prepared
    encoded: Encoded | None
    staged: StagedJobs | None
    notes: Notes | None

    def release(self) -> None:
        """It was not started: the job is as it was."""
        if self.staged is not None:
            self.staged.forget(self.job.id, "")
        self.job.executor = None


class _Begun(NamedTuple):
    """What came of starting it: `when` is in seconds since the epoch, `began` by `time.monotonic`."""

    ready: _Ready
    outcome: Started | NotStarted
    when: float
    began: float


class _Running:
    """A process of ours that has not been reaped."""

    __slots__ = ("began", "cancelled", "job", "notes", "others", "staged", "started")

    def __init__(self, ready: _Ready, started: Started, began: float) -> None:
        self.job = ready.job
        self.started = started
        self.began = began
        self.cancelled = False
        self.staged = ready.staged
        self.notes = ready.notes
        self.others: Sequence[Job] = ()
        """Those that were attached to it."""

    def tell(self, status: JobStatus) -> None:
        """Tell a status to all that are handles on it."""
        self.job.status = status
        for job in self.others:
            job.status = status


class LocalJobExecutor(JobExecutor):
    """Runs jobs on this machine, each at once."""

    name = "local"

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        super().__init__(url, config)
        if url is not None:
            raise ValueError(f"the local executor runs jobs on this machine; it takes no url, got {url!r}")
        self._attached: dict[str, Attached] = {}
        self._staged: StagedJobs | None = None
        self._notes: Notes | None = None

    def submit(self, job: Job | Sequence[Job]) -> None:
        """As `JobExecutor.submit`. A job for which the system has no room now, in open files or processes, is refused.

        It can be submitted again when others have ended. In a list those are to be submitted again whose state is NEW.
        """
        if isinstance(job, Job):
            self._submit(job)
            return
        jobs = self.jobs_of(job)
        if len(jobs) < _MANY:
            for one in jobs:
                self._submit(one)
        else:
            for first in range(0, len(jobs), _PREPARED_AT_ONCE):
                self._submit_many(jobs[first : first + _PREPARED_AT_ONCE])

    def _submit(self, job: Job) -> None:
        refused = self._note(_start(self._prepare(job)))
        if refused is not None:
            raise refused

    def _submit_many(self, jobs: Sequence[Job]) -> None:
        """Start jobs from several threads: most of each start is waiting for the system, which another can use."""
        ready: list[_Ready] = []
        faults: list[ArgosyError] = []
        try:
            for job in jobs:
                ready.append(self._prepare(job))  # noqa: PERF401  # those before the one at fault are to stay
        except ArgosyError as error:
            faults.append(error)
        except BaseException:
            for one in ready:
                one.release()
            raise
        left = iter(ready)
        refusals: list[BaseException] = []

        def start_some() -> None:
            # Each goes to one of the threads: the iterator is the interpreter's own.
            while some := list(islice(left, _STARTED_AT_ONCE)):
                started: list[_Begun] = []
                for one in some:
                    if refusals:
                        one.release()
                        continue
                    try:
                        started.append(_start(one))
                    except BaseException as error:  # those that were started before it are to be noted all the same
                        refusals.append(error)
                for begun in started:
                    refused = self._note(begun)
                    if refused is not None:
                        refusals.append(refused)

        with ThreadPoolExecutor(_STARTERS, thread_name_prefix="argosy-start") as pool:
            starters = [pool.submit(start_some) for _ in range(_STARTERS)]
        for starter in starters:
            starter.result()
        for fault in (*refusals, *faults):
            raise fault

    def _prepare(self, job: Job) -> _Ready:
        """What starts the job, which is this executor's from now on."""
        self.check(job)
        self.bind(job)
        try:
            ends()  # there must be room for what watches it, too
            spec = job.spec
            assert spec is not None
            staged, notes = None, None
            if spec.stages:
                staged = self._staged_jobs()
                prepared = staged.prepare(spec, os.environ, job.id)
            elif leaves_notes(spec):
                notes = self._notes = self._notes or Notes.new(self.config.work_directory, self.name)
                prepared = prepare(spec, None, os.environ, job.id, notes.path(job.id))
            else:
                prepared = prepare(spec, None, os.environ, job.id)
            return _Ready(job, prepared, encode(prepared), staged, notes)
        except BaseException as error:
            job.executor = None
            if isinstance(error, (OSError, Unavailable)):
                raise SubmitException(f"the job cannot be prepared: {error}", error, transient=True) from error
            raise

    def _note(self, begun: _Begun) -> SubmitException | None:
        """A job's process was started, or could not be. Answers why the job is refused, where it is."""
        ready, outcome, when, began = begun
        job, staged = ready.job, ready.staged
        if isinstance(outcome, NotStarted):
            ready.release()
            if isinstance(outcome, NoRoom):
                return SubmitException(f"the job cannot be started now: {outcome.message}", outcome, transient=True)
            # The job is as it should be, its program is not there: that is the job's end, not a refusal.
            job.executor = self
            job.status = JobStatus(JobState.QUEUED, when)
            job.status = JobStatus(JobState.FAILED, message=outcome.message, exit_code=outcome.exit_code)
            return None
        running = _Running(ready, outcome, began)
        _running[outcome.pid] = running
        self.accept(job, str(outcome.pid))
        if staged is not None:
            staged.watch(job.id, running.tell)
        else:
            job.status = JobStatus(JobState.ACTIVE, when, metadata={"native_id": job.native_id})
        ends().watch(outcome.pidfd, partial(self._ended, running))
        return None

    def _ended(self, running: _Running) -> None:
        pid = running.started.pid
        try:
            with _reaping:
                del _running[pid]
                os.close(running.started.pidfd)
                ended = reap(pid)
        except ChildProcessError:
            # Somebody in this program waits for every child, or ignores SIGCHLD, and took the exit code.
            if running.staged is not None:
                running.staged.ended(running.job)
            running.tell(JobStatus(JobState.FAILED, message="its exit code was taken by another part of this program"))
            return
        used = usage(ended, time.monotonic() - running.began)
        code: int | None = ended.exit_code
        failed, said = False, None
        how = None if ended.signal is None else f"ended by signal {ended.signal}"
        if running.staged is not None and (record := running.staged.ended(running.job)) is not None:
            code, failed, said = record.exit_code if record.ran else None, record.failed, record.note
        elif running.notes is not None and (note := running.notes.take(running.job.id)) is not None:
            code, said = code if note.ran else None, note.words if note.ran or how is None else None
        if running.cancelled:
            state, how = JobState.CANCELED, "cancelled"
        else:
            state = JobState.COMPLETED if code == 0 and not failed else JobState.FAILED
        message = "; ".join(filter(None, (how, said))) or None
        metadata = {"native_id": running.job.native_id, "usage": used}
        running.tell(JobStatus(state, message=message, exit_code=code, metadata=metadata))

    def cancel(self, job: Job) -> None:
        """As `JobExecutor.cancel`. A job of this program is killed, unless it stages: then, and where another program
        started it, SIGTERM is sent, and SIGKILL ten seconds later.
        """
        if job.status.final:
            return
        pid = self._pid_of(job)
        with _reaping:
            running = self._own(job, pid)
            if running is not None:
                running.cancelled = True
                leader = Leader(pid, running.started.start_time)
        if running is None:
            self._cancel_foreign(job, pid)
        elif running.staged is None:
            _kill(running.job.id, leader)
        else:
            # Time for what is staged out, or removed, of a cancelled job.
            members = Table().members(running.job.id, leader)
            send(members, signal.SIGTERM)
            send(members, signal.SIGCONT)
            _later(self._kill_running, running, leader)

    def _cancel_foreign(self, job: Job, pid: int) -> None:
        attached = self._attached.get(job.id)
        leader = self._foreign(job, pid)
        if leader is None:
            return  # it has ended
        if attached is not None:
            attached.cancelled = True
        if signal_all(leader, (signal.SIGTERM, signal.SIGCONT)):
            _later(_kill_foreign, leader)

    def _kill_running(self, running: _Running, leader: Leader) -> None:
        if _running.get(leader.pid) is running:
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
        pid = self._pid_of(job)
        with _reaping:
            running = self._own(job, pid)
            if running is not None:
                # It leads a process group of its own. It may have ended, and not have been reaped.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, number)
                return
        leader = self._foreign(job, pid)
        if leader is None or not signal_all(leader, (number,)):
            raise InvalidStateException("the job has ended")

    def _pid_of(self, job: Job) -> int:
        self.check_own(job)
        if job.native_id is None:
            raise SubmitException("the job is just being started", transient=True)
        return process_id(job.native_id)

    def _own(self, job: Job, pid: int) -> _Running | None:
        """The process of that id that this program started and has not reaped, where it is this job's."""
        running = _running.get(pid)
        if running is None or job.executor is None or job is running.job or job in running.others:
            return running
        return None

    def _foreign(self, job: Job, pid: int) -> Leader | None:
        """The process that was attached to, or has the id that is all that is known; None where it has ended."""
        attached = self._attached.get(job.id)
        if attached is not None or job.executor is not None:
            return None if attached is None else attached.leader
        with contextlib.suppress(ProcessLookupError):
            return find(pid)
        return None

    def attach(self, job: Job, native_id: str) -> None:
        """As `JobExecutor.attach`; the native id is a process id.

        How a process ends is told to the program that started it. Where that is not this one the job ends as FAILED,
        or CANCELED, without an exit code.
        """
        self.check_attach(job)
        pid = process_id(native_id)
        metadata = {"native_id": native_id}
        with _reaping:
            running = _running.get(pid)
            if running is not None:
                self.bind(job)
                running.others = (*running.others, job)
        if running is not None:
            job.spec, job.native_id = JobSpec(), native_id
            job.status = JobStatus(JobState.QUEUED, metadata=metadata)
            job.status = running.job.status if running.staged else JobStatus(JobState.ACTIVE, metadata=metadata)
            return
        words = os.strerror(errno.ESRCH)
        attached = None
        try:
            ends()  # there must be room for what watches it, too
            leader = find(pid)
            pidfd = open_process(pid, leader.start_time)
            if pidfd is not None:
                attached = Attached(job, leader, pidfd)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise SubmitException(f"process {pid} cannot be watched: {error.strerror}", transient=True) from error
            words = error.strerror or words
        try:
            self.bind(job)
        except JobNotNew:
            if attached is not None:
                os.close(attached.pidfd)
            raise
        if attached is not None:
            self._attached[job.id] = attached  # from the first status on it can be cancelled
        job.spec, job.native_id = JobSpec(), native_id
        if attached is None:
            job.status = JobStatus(JobState.FAILED, message=f"process {native_id}: {words}")
            return
        job.status = JobStatus(JobState.QUEUED, metadata=metadata)
        job.status = JobStatus(JobState.ACTIVE, metadata=metadata)
        ends().watch(attached.pidfd, partial(self._attached_ended, attached))

    def _attached_ended(self, attached: Attached) -> None:
        os.close(attached.pidfd)
        del self._attached[attached.job.id]
        # Only a parent learns an exit code: that it ended is all that can be known, and absence is no success.
        message = "it has ended; its exit code is known to the program that started it only"
        if attached.cancelled:
            attached.job.status = JobStatus(JobState.CANCELED, message="cancelled")
        else:
            attached.job.status = JobStatus(JobState.FAILED, message=message)

    def observe(self, native_ids: Sequence[str]) -> Mapping[str, Observation]:
        """Those of this executor's processes that have not ended."""
        processes = Table().processes
        seen: dict[str, Observation] = {}
        for pid, running in list(_running.items()):
            process = processes.get(pid)
            if (
                running.job.executor is not self
                or str(pid) not in native_ids
                or process is None
                or process.state in "ZX"
            ):
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
        poll = select.poll()
        running = {one.started.pidfd: pid for pid, one in list(_running.items()) if one.job.executor is self}
        for pidfd in running:
            poll.register(pidfd, select.POLLIN)
        over = {pidfd for pidfd, _ in poll.poll(0)}
        return [str(pid) for pidfd, pid in running.items() if pidfd not in over]


def _start(ready: _Ready) -> _Begun:
    when, began = time.time(), time.monotonic()
    outcome: Started | NotStarted
    try:
        outcome = start(ready.prepared, ready.encoded)
    except NotStarted as error:
        outcome = error
    except BaseException:
        ready.release()
        raise
    return _Begun(ready, outcome, when, began)


def _later(call: Callable[..., object], *arguments: object) -> None:
    loop = background_loop()
    loop.call_soon_threadsafe(loop.call_later, _GRACE, call, *arguments)


def _kill_foreign(leader: Leader) -> None:
    # Where it is gone, or has become another's since, there is nothing to be done.
    with contextlib.suppress(SubmitException):
        signal_all(leader, (signal.SIGKILL,))


def _kill(tag: str, leader: Leader) -> None:
    # Its processes may be starting others: until no living one is left, or the system will not end them.
    for _ in range(_KILL_ROUNDS):
        if not send(Table().members(tag, leader), signal.SIGKILL):
            break
