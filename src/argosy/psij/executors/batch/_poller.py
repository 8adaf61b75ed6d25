"""Following the jobs of a `BatchSchedulerExecutor`: exit codes as they appear, and one status command for all jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.executors.job import Job
from argosy.executors.loop import background_loop
from argosy.model import JobStatus

from ._judgement import Grace, Known, mentioned, on_exit_code, on_missing, on_shown, parse_apart

if TYPE_CHECKING:
    from .batch_scheduler_executor import BatchSchedulerExecutor

log = logging.getLogger(__name__)

#: Between looks while more is expected of a job soon, in seconds.
_SOON = 0.5
_SOON_MOST = 5.0
_NEVER = float("inf")
#: Before a file that was made, but not yet written, is read again, in seconds; twice as long each time.
_UNWRITTEN = 0.01


@dataclass(slots=True)
class _Followed:
    known: Known
    jobs: list[Job] = field(default_factory=list)


class Poller:
    """The jobs of one executor that have not ended. While there are any, a task in the background loop follows them."""

    def __init__(self, executor: BatchSchedulerExecutor, grace: Grace) -> None:
        self._executor = executor
        self._grace = grace
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._jobs: dict[str, _Followed] = {}
        self._running = False
        self._changed: asyncio.Event | None = None
        self._due = _NEVER
        self._sooner = _NEVER
        self._soon = _SOON
        self._unwritten: float | None = None
        self._away: str | None = None

    def register_job(self, job: Job, attached: bool = False) -> None:
        """Follow a job, which has a native id, from now on."""
        native_id = job.native_id
        assert native_id is not None
        with self._lock:
            if self._pid != os.getpid():
                self._reset()  # in a forked child: the jobs are the parent's
            followed = self._jobs.setdefault(native_id, _Followed(Known(attached=attached)))
            followed.jobs.append(job)
            followed.known.attached = followed.known.attached and attached
            delay = self._executor.config.initial_queue_polling_delay
            self._sooner = min(self._sooner, time.monotonic() + delay)
            if not self._running:
                self._running = True
                asyncio.run_coroutine_threadsafe(self._follow(), background_loop())
                return
        self._wake()

    def cancelling(self, native_id: str) -> None:
        """The cancel command for this job went through."""
        with self._lock:
            if native_id in self._jobs:
                self._jobs[native_id].known.cancel_asked = True
            self._soon = _SOON
        self._look_within(_SOON)
        self._wake()

    def _wake(self) -> None:
        changed = self._changed
        if changed is not None:
            background_loop().call_soon_threadsafe(changed.set)

    async def _follow(self) -> None:
        self._changed = asyncio.Event()
        directory = self._executor.work_directory
        with contextlib.suppress(OSError):  # told when a script is written there
            await _in_thread(partial(directory.mkdir, parents=True, exist_ok=True))
        stop = await self._executor._transport.watch(str(directory), self._changed.set)
        self._changed.set()  # of what appeared before, nothing is told
        try:
            while True:
                try:
                    await self._step(self._changed)
                except Exception:
                    # Jobs must go on being followed whatever it was.
                    log.exception("a defect in following the jobs of %s", self._executor)
                    await asyncio.sleep(_SOON_MOST)
                with self._lock:
                    if not self._jobs:
                        self._running = False
                        self._changed = None
                        self._due = _NEVER
                        return
        finally:
            if stop is not None:
                stop()

    async def _step(self, changed: asyncio.Event) -> None:
        with self._lock:
            wait = min(self._due, self._sooner) - time.monotonic()
        if self._unwritten is not None:
            wait = min(wait, self._unwritten)
        # Behind the notification of new files there is the look at each poll: not every file system notifies.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wait)):
                await changed.wait()
        changed.clear()
        await _in_thread(self._exit_codes)
        with self._lock:
            if time.monotonic() < min(self._due, self._sooner):
                return
            self._sooner = _NEVER
        await _in_thread(self._poll)
        with self._lock:
            pending = any(followed.known.pending for followed in self._jobs.values())
        self._soon = min(self._soon * 2, _SOON_MOST) if pending else _SOON
        interval = self._executor.config.queue_polling_interval
        self._due = time.monotonic() + (min(interval, self._soon) if pending else interval)

    def _look_within(self, seconds: float) -> None:
        with self._lock:
            self._sooner = min(self._sooner, time.monotonic() + seconds)

    # -- in a worker thread, one at a time --------------------------------------------------------

    def _exit_codes(self) -> None:
        with self._lock:
            wanted = {native_id: f for native_id, f in self._jobs.items() if f.known.exit_code is None}
        if not wanted:
            return
        try:
            there = {name for name in os.listdir(self._executor.work_directory) if name.endswith(".ec")}
        except OSError:  # not made yet, or away: the status command tells
            return
        now = time.monotonic()
        unwritten = False
        for native_id, followed in wanted.items():
            if f"{native_id}.ec" not in there:
                continue
            code = _code(self._executor.work_directory / f"{native_id}.ec")
            if code is None:
                unwritten = True
                continue
            status = on_exit_code(followed.known, code, now)
            if status is not None:
                self._tell(native_id, status)
            else:
                self._look_within(_SOON)
        self._unwritten = min((self._unwritten or _UNWRITTEN / 2) * 2, _SOON_MOST) if unwritten else None

    def _poll(self) -> None:
        with self._lock:
            jobs = dict(self._jobs)
        if not jobs:
            return
        try:
            shown, unsure = self._ask(list(jobs))
        except CancelledError:
            return  # the program is ending, and with it the loop that runs commands
        except Exception as error:  # the plug-in's commands and parsers may raise anything
            self._is_away(f"{type(error).__name__}: {error}")
            return
        self._is_away(None)
        # A job may have left its exit code between the status command and now.
        self._exit_codes()
        now = time.monotonic()
        for native_id, followed in jobs.items():
            with self._lock:
                if native_id not in self._jobs:
                    continue
            if native_id in shown:
                status = on_shown(followed.known, shown[native_id], now, self._grace)
            elif native_id in unsure:
                continue
            else:
                status = on_missing(followed.known, now, self._grace)
            if status is not None:
                self._tell(native_id, status)

    def _ask(self, ids: list[str]) -> tuple[Mapping[str, JobStatus], set[str]]:
        """What is shown, and of which jobs it cannot be said whether they are."""
        try:
            return self._status(ids)
        except Exception as error:
            # Some status commands fail as a whole once they do not know one of the jobs any more.
            listed = set(self._executor.list())
            still = [native_id for native_id in ids if native_id in listed]
            if len(still) == len(ids):
                raise
            log.debug("%s: asked again without jobs that are not listed: %s", self._executor, error)
            return self._status(still) if still else ({}, set())

    def _status(self, ids: list[str]) -> tuple[Mapping[str, JobStatus], set[str]]:
        executor = self._executor
        try:
            out = executor._run_command(executor.get_status_command(ids))
        except subprocess.CalledProcessError as error:
            return executor.parse_status_output(error.returncode, error.output), set()
        shown, odd = parse_apart(executor.parse_status_output, out, ids)
        for line in odd:
            log.error("%s: a line of the status command cannot be read: %r", executor.name, line)
        return shown, mentioned("".join(odd), set(ids)) if odd else set()

    def _tell(self, native_id: str, status: JobStatus) -> None:
        if status.state.final:
            with self._lock:
                followed = self._jobs.pop(native_id, None)
        else:
            followed = self._jobs.get(native_id)
        for job in followed.jobs if followed is not None else ():
            own = JobStatus(status.state, status.time, status.message, status.exit_code, status.metadata)
            try:
                self._executor._set_job_status(job, own)
            except Exception:  # a plug-in's own: the other jobs are told all the same
                log.exception("%s: the status %s of job %s could not be set", self._executor, status, job.id)

    def _is_away(self, words: str | None) -> None:
        if words is not None and self._away is None:
            log.warning("%s: its jobs are left as they were last seen: %s", self._executor, words)
        elif words is None and self._away is not None:
            log.warning("%s answers again", self._executor)
        self._away = words


async def _in_thread(work: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(work)
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise
        # The interpreter is ending and starts no more threads: jobs go on, what followed them stops without a word.
        raise asyncio.CancelledError(str(error)) from None


def _code(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # gone again, or not to be read now
        return None
    return int(text) if text.isascii() and text.isdigit() else None
