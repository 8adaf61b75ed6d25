"""The reaper's work: its jobs, from the queue to their end. Standard library only.

What is decided here is noted in the journal, which the reaper commits before it does what was decided.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from typing import Any

from . import child
from .job import Job
from .journal import Journal
from .processes import Leader, Table, Termination, open_process, resume, suspend, ticks

#: How often the processes of a job that is being ended are looked at, in seconds.
_LOOK = 0.1
_KILLED = "the reaper was killed while the job ran; its exit code is not known"
_REBOOTED = "the machine went down while the job ran; its exit code is not known"
_UNCERTAIN = "the reaper was killed as it was about to start the job; whether it ran is not known"


class Work:
    """The jobs of one directory, and `slots` CPU cores for them.

    `changed` are jobs that somebody is to be told about, `sync` says that what was noted must be flushed to disk,
    `again` that more may be done at once. `active` counts the jobs that were claimed and have not ended.
    """

    def __init__(self, journal: Journal, selector: selectors.BaseSelector, slots: int) -> None:
        self._journal = journal
        self._selector = selector
        self._slots = slots
        self._free = slots
        self._queue: dict[str, Job] = {}
        self._running: dict[int, Job] = {}
        self._ended: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, Job] = {}
        self.changed: dict[str, Job] = {}
        self.terminations: dict[str, Termination] = {}
        self.look_at = 0.0  # when to look next at the jobs that are being ended, by time.monotonic
        self.active = 0
        self.sync = False
        self.again = False

    # -- starting and ending ----------------------------------------------------------------------

    def choose(self) -> list[Job]:
        """Claim the jobs that are next in the queue and fit; one larger than all slots waits beside it."""
        chosen: list[Job] = []
        if self._free < 1:
            return chosen
        for job in self._queue.values():
            if job.cores > self._slots:
                continue
            if job.cores > self._free:
                break
            self._free -= job.cores
            chosen.append(job)
            if self._free < 1:
                break
        now = time.time()
        for job in chosen:
            del self._queue[job.tag]
            job.claimed, job.changed = now, None
            self.active += 1
            self._journal.add("claim", job.tag, now, job.cores)
            self.sync = True
        return chosen

    def start(self, job: Job) -> None:
        """Start a job whose claim is written down."""
        if job.result is not None:
            return  # cancelled while the claim was being written
        assert job.prepared is not None
        self.changed[job.tag] = job
        earliest = ticks()
        try:
            job.pid = child.launch(job.prepared)
        except child.NotStarted as error:
            self.again = True  # what it would have taken is free for others
            self._end(job, outcome="not-started", exit_code=error.exit_code, message=error.message)
            return
        job.started, job.began = time.time(), time.monotonic()
        job.start_window = (earliest, ticks())
        job.prepared = None
        self._running[job.pid] = job
        self._journal.add("start", job.tag, job.pid, *job.start_window, job.started)

    def reap(self) -> None:
        """Learn of all child processes that have ended; those that are no job's were orphaned by one."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self._running.pop(pid, None)
            if job is None:
                continue
            ended = child.ended(status, usage)
            job.gone = ticks()
            self._finish(
                job,
                outcome="exited",
                exit_code=ended.exit_code,
                signal=ended.signal,
                cpu=round(ended.cpu_seconds, 6),
                wall=round(time.monotonic() - job.began, 6),
                rss=ended.max_rss,
            )

    def gone(self, job: Job, fd: int) -> None:
        """A process that an earlier reaper started has ended."""
        self._selector.unregister(fd)
        os.close(fd)
        job.gone = ticks()
        self._finish(job, outcome="lost", message=_KILLED)

    def _finish(self, job: Job, **result: Any) -> None:
        """The leading process has ended; a cancelled job has ended only with all its processes."""
        if job.tag in self.terminations:
            self._ended[job.tag] = result
            self.look_at = 0.0
        else:
            self._end(job, **result)

    def _end(self, job: Job, **result: Any) -> None:
        result.setdefault("time", time.time())
        if job.claimed is not None:
            self._free += job.cores
            self.active -= 1
        if job.cancelled:
            result["outcome"] = "cancelled"
        job.set_result({name: value for name, value in result.items() if value is not None})
        self._journal.add("exit", job.tag, job.result)
        self.changed[job.tag] = job

    def terminate(self) -> None:
        """Look at the jobs that are being ended, and do what is due."""
        table, now = Table(), time.monotonic()
        self.look_at = now + _LOOK
        for tag, termination in list(self.terminations.items()):
            job = self.jobs[tag]
            if not termination.step(table, _leader(job), now):
                continue
            if termination.left:
                pids = ", ".join(str(process.pid) for process in termination.left)
                self._ended.setdefault(tag, {})["message"] = f"these processes could not be ended: {pids}"
                if job.pid is not None:
                    self._running.pop(job.pid, None)
                    job.gone = job.gone or ticks()
            elif job.gone is None and job.pid is not None:
                continue  # its leading process is about to be reaped
            del self.terminations[tag]
            self._end(job, **self._ended.pop(tag, {}))

    # -- after an earlier reaper ------------------------------------------------------------------

    def recover(self, job: Job, table: Table, *, same_boot: bool) -> None:
        """Find out what became of a job that an earlier reaper had, and go on with it where that is possible."""
        if job.claimed is None:
            if job.cancelled:
                self._end(job)
            elif not job.held:
                self._queue[job.tag] = job
            return
        self._free -= job.cores
        self.active += 1
        if not same_boot:
            self._end(job, outcome="lost", message=_REBOOTED)
            return
        if job.pid is None:
            # Killed between starting it and writing that down: its processes tell.
            leader = table.leaders().get(job.tag)
            if leader is None:
                self._end(job, outcome="lost", message=_UNCERTAIN)
                return
            job.pid, job.start_window, job.started = leader.pid, (leader.start_time, leader.start_time), job.claimed
            self._journal.add("start", job.tag, job.pid, *job.start_window, job.started)
        process = table.processes.get(job.pid)
        earliest, latest = job.start_window
        fd: int | None = None
        if process is not None and earliest <= process.start_time <= latest:
            job.start_time = process.start_time
            fd = open_process(job.pid, job.start_time)
            job.suspended = process.state == "T"
        if fd is None and job.cancelled:
            job.gone = ticks()
        elif fd is None:
            self._end(job, outcome="lost", message=_KILLED)
            return
        else:
            self._selector.register(fd, selectors.EVENT_READ, job)
        if job.cancelled:
            self.terminations[job.tag] = Termination(job.tag, 0.0, time.monotonic())

    # -- requests --------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Figures for people and programs."""
        return {
            "pid": os.getpid(),
            "slots": self._slots,
            "free": max(0, self._free),
            "queued": len(self._queue),
            "running": self.active,
            "jobs": len(self.jobs),
        }

    def set_slots(self, slots: int) -> None:
        """Have this many CPU cores from now on; what runs goes on. Raises ValueError."""
        if type(slots) is not int or slots < 1:
            raise ValueError(f"slots must be a whole number from 1, not {slots!r}")
        self._free += slots - self._slots
        self._slots = slots

    def submit(self, base: dict[str, str], wires: list[list[Any]]) -> list[str | None]:
        """Queue jobs; for each why it was refused, None where it was not. Known ones stay as they are.

        Raises ValueError where one is no job; none is queued then.
        """
        answers: list[str | None] = []
        accepted: list[list[Any]] = []
        jobs = [Job.from_wire(wire, base) for wire in wires]
        now = time.time()
        for wire, job in zip(wires, jobs, strict=True):
            answers.append(None)
            if job.tag in self.jobs:
                self.changed[job.tag] = self.jobs[job.tag]
            elif job.cores > self._slots:
                answers[-1] = f"the job asks for {job.cores} CPU cores, but there are {self._slots}"
            else:
                wire[2] = job.submitted = now
                self.jobs[job.tag] = self._queue[job.tag] = self.changed[job.tag] = job
                accepted.append(wire)
        if accepted:
            self._journal.add("submit", base, accepted)
            self.sync = True
        return answers

    def control(self, verb: str, tag: str, grace: float) -> str | None:
        """Do `verb` to a job; why that was refused, None where it was not."""
        job = self.jobs.get(tag)
        if job is None:
            return "not-found"
        if verb == "cancel":
            if job.result is None:
                self._cancel(job, grace)
            return None
        if verb in ("hold", "release"):
            if job.claimed is not None or job.result is not None:
                return f"it is {job.phase}; only a job that has not started can be held or released"
            if job.held != (verb == "hold"):
                job.held = verb == "hold"
                job.changed = time.time()
                if job.held:
                    del self._queue[tag]
                else:
                    self._queue[tag] = job
                self._journal.add(verb, tag)
        elif verb in ("suspend", "resume"):
            if job.claimed is None or job.result is not None:
                return f"it is {job.phase}; only a job that runs can be suspended or resumed"
            (suspend if verb == "suspend" else resume)(tag, _leader(job))
            job.suspended = verb == "suspend"
            job.changed = time.time()
        else:
            return f"there is no {verb!r} here"
        self.changed[tag] = job
        return None

    def _cancel(self, job: Job, grace: float) -> None:
        self._journal.add("cancel", job.tag)
        self.sync = True
        if job.claimed is None:
            self._queue.pop(job.tag, None)
            job.cancelled = True
            self._end(job, message="cancelled before it started")
            return
        self.look_at = 0.0
        termination = self.terminations.get(job.tag)
        now = time.monotonic()
        if termination is None:
            job.cancelled = True
            _leader(job)
            self.terminations[job.tag] = Termination(job.tag, grace, now)
        else:
            termination.deadline = min(termination.deadline, now + grace)

    def forget(self, tag: str) -> str | None:
        """Forget a job that has ended; why that was refused, None where it was not."""
        job = self.jobs.get(tag)
        if job is not None and job.result is None:
            return f"it is {job.phase}; only a job that has ended can be forgotten"
        if job is not None:
            del self.jobs[tag]
            self.changed.pop(tag, None)
            self._journal.add("forget", tag)
        return None


def _leader(job: Job) -> Leader | None:
    """The job's leading process; it can be asked for first while that is there, be it as a zombie."""
    if job.pid is None:
        return None
    if job.start_time is None and job.gone is None:
        with contextlib.suppress(ProcessLookupError):  # it runs as another user, and those are hidden here
            job.start_time = child.start_time(job.pid)
    return None if job.start_time is None else Leader(job.pid, job.start_time, job.gone)
