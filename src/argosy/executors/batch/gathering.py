"""Taking single submissions over without waiting, so that a loop of them becomes a few job arrays.

The first job of its kind waits for the batch system's answer, so that a refusal is an exception where the mistake was
made. Jobs that follow within a second and ask for the same are checked and taken over: their `submit` returns at once,
and they are handed to the batch system together, when no more came for a moment. What the batch system says against one
of those is told in its status, since nobody can catch it any more.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

from argosy.executors.job import Job
from argosy.executors.loop import background_loop, is_background_loop
from argosy.model import JobSpec, Origin

log = logging.getLogger(__name__)

#: The most kinds of jobs that are remembered as accepted.
_KINDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheringConfig:
    """How single submissions are gathered. Times are seconds.

    With `enabled` False every `submit` waits for the batch system's answer. `alike` is how soon a job must follow one
    of its kind to be taken over; those taken over are submitted `quiet` after the last, and at most `longest` after
    the first. Where the batch system does not answer they are tried again for `persist`.
    """

    enabled: bool = True
    alike: float = 1.0
    quiet: float = 0.05
    longest: float = 0.5
    persist: float = 60.0


class Taken(NamedTuple):
    """A job that was taken over, and its specification and what it is submitted from as they were then."""

    job: Job
    spec: JobSpec
    origin: Origin | None


class Batch:
    """Jobs that are submitted together. `answered` is set when the batch system has had its say on each."""

    __slots__ = ("answered", "begun", "jobs", "last", "sent")

    def __init__(self, now: float) -> None:
        self.jobs: dict[str, Taken] = {}
        self.begun = self.last = now
        self.sent = False
        self.answered = threading.Event()


#: Hands these jobs to the batch system and settles each.
Submit = Callable[[list[Taken]], Coroutine[Any, Any, None]]


class Gathering:
    """The jobs of one executor that were taken over and are not yet submitted. Its methods may be called anywhere."""

    def __init__(self, config: GatheringConfig, submit: Submit, most: int, patience: float) -> None:
        self._config = config
        self._submit = submit
        self._most = most
        self._patience = patience
        self._lock = threading.Lock()
        self._accepted: dict[object, float] = {}
        self._batch: Batch | None = None
        self._under_way: set[Batch] = set()
        self._pid = os.getpid()

    def accepted(self, kind: object) -> None:
        """The batch system has accepted a job of this kind."""
        with self._lock:
            self._accepted.pop(kind, None)  # the dictionary's order is that of the last use
            self._accepted[kind] = time.monotonic()
            if len(self._accepted) > _KINDS:
                del self._accepted[next(iter(self._accepted))]

    def refused(self) -> None:
        """The batch system has refused a job that was taken over: the next of any kind waits for its answer."""
        with self._lock:
            self._accepted.clear()

    def take(self, taken: Taken, kind: object, bind: Callable[[Job], None]) -> bool:
        """Take a job over where one of its kind was accepted a moment ago, and `bind` it then."""
        now = time.monotonic()
        with self._lock:
            if self._accepted.get(kind, -self._config.alike) + self._config.alike < now:
                return False
            bind(taken.job)
            self._accepted[kind] = now
            batch, fresh = self._batch, False
            if batch is None:
                batch, fresh = Batch(now), True
                self._batch = batch
                self._under_way.add(batch)
            batch.jobs[taken.job.id] = taken
            batch.last = now
            taken.job._answer = lambda: self._await(batch)
            full = len(batch.jobs) >= self._most
            if full:
                self._batch = None
        if fresh:
            _remember(self)
        if full:
            background_loop().call_soon_threadsafe(self._send, batch)
        elif fresh:
            background_loop().call_soon_threadsafe(self._look, batch)
        return True

    def withdraw(self, job: Job) -> bool:
        """Leave a job unsubmitted after all; False where it is too late for that."""
        with self._lock:
            batch = self._batch
            if batch is None or batch.jobs.pop(job.id, None) is None:
                return False
        job._answer = None
        return True

    def finish(self) -> None:
        """Submit what there is, and wait for the answer to all."""
        with self._lock:
            batches = list(self._under_way)
        for batch in batches:
            self._await(batch)

    def at_exit(self) -> None:
        """As `finish`, at the end of the program."""
        if self._pid != os.getpid():
            return
        self.finish()
        with self._lock:
            lost = [id for batch in self._under_way for id in batch.jobs]
        if lost:
            log.error("the program ends before %d jobs could be submitted: %s", len(lost), ", ".join(lost[:10]))

    def _await(self, batch: Batch) -> None:
        """Wait for the batch system's answer, which somebody wants to know now."""
        if batch.answered.is_set() or self._pid != os.getpid() or is_background_loop():
            return
        background_loop().call_soon_threadsafe(self._send, batch)
        batch.answered.wait(self._patience)

    # -- in the event loop ------------------------------------------------------------------------

    def _look(self, batch: Batch) -> None:
        with self._lock:
            due = min(batch.last + self._config.quiet, batch.begun + self._config.longest) - time.monotonic()
        if due <= 0:
            self._send(batch)
        elif not batch.sent:
            background_loop().call_later(due, self._look, batch)

    def _send(self, batch: Batch) -> None:
        with self._lock:
            if batch.sent:
                return
            batch.sent = True
            if self._batch is batch:
                self._batch = None
        task = background_loop().create_task(self._settle(batch))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def _settle(self, batch: Batch) -> None:
        try:
            if batch.jobs:
                await self._submit(list(batch.jobs.values()))
            with self._lock:
                self._under_way.discard(batch)
        finally:
            batch.answered.set()


_tasks: set[object] = set()
_all: weakref.WeakSet[Gathering] = weakref.WeakSet()
_registered = False


def _remember(gathering: Gathering) -> None:
    """See to it that what it took over is submitted before the program ends."""
    global _registered
    _all.add(gathering)
    if not _registered:
        _registered = True
        # Functions that are registered with `atexit` run when thread pools take no more work, which commands need.
        # What makes thread pools wait for theirs runs before; it has no public name. The last registered is the first.
        register: Callable[[Callable[[], None]], object] | None = getattr(threading, "_register_atexit", None)
        (register or atexit.register)(_at_exit)


def _at_exit() -> None:
    for gathering in list(_all):
        gathering.at_exit()
