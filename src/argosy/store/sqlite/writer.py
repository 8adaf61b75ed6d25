"""The one thread that writes: group commit.

Steps queue up while a commit is under way, then all run in one transaction and share its flush to disk. They run bare;
where one raises, all is rolled back and they run again one by one, each in a transaction of its own, so that only the
bad one fails. What came of a batch is handed to the event loop in one call.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy.model import Unavailable
from argosy.store.administration import Damaged, StoreTrouble
from argosy.store.records import Activity, Event

from .connections import is_trouble, lasting
from .outbox import Audience
from .secrets import Secrets

_log = logging.getLogger(__name__)

#: The most steps in one transaction: it bounds how long the first of them waits for the last. One that does the work of
#: several counts as those, and is never divided.
MAX_BATCH = 512


@dataclass(slots=True)
class Written:
    """What a transaction did that listeners are told: events in the order of `seq`, and the records they are about."""

    db: sqlite3.Connection
    audience: Audience
    events: list[Event] = field(default_factory=list)
    records: dict[str, Activity] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    """For which something was put into the outbox."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer of a step that refused before it wrote anything; its caller gets the error."""

    error: Exception


#: One transaction's worth of work.
Step = Callable[[Written], object]


class _Call:
    """Steps asked for together, and where their results go."""

    __slots__ = ("future", "left", "results", "steps", "weight")

    def __init__(self, steps: Sequence[Step], future: asyncio.Future[list[Any]], weight: int) -> None:
        self.steps = steps
        self.weight = weight
        self.future = future
        self.left = len(steps)
        self.results: list[object] = [None] * self.left

    def deliver(self) -> None:
        if self.future.done():  # whoever asked has gone away
            return
        for result in self.results:
            if isinstance(result, Failed):
                self.future.set_exception(result.error)
                return
        self.future.set_result(self.results)


class Writer:
    """The writer thread of one database.

    `connect` opens its connection, in the thread. `announce` is called in the event loop after each commit that wrote
    events or into the outbox, before the callers get their answers. `fault` is called at the named points, for tests.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        announce: Callable[[Written], None],
        fault: Callable[[str], None] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self._connect = connect
        self._announce = announce
        self._fault = fault
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._waiting: deque[tuple[_Call, int]] = deque()
        self._thread = threading.Thread(target=self._run, name="argosy-store-writer", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._audience = Audience(secrets)
        #: Whether some of this batch was recorded, and whether the database did not take some of it.
        self._taken = self._refused = False
        #: Why some of the last batch could not be recorded; None where all was. Written by the thread, read by anybody.
        self.trouble: StoreTrouble | None = None

    async def open(self) -> None:
        """Start. Raises what `connect` raises."""
        self._thread.start()
        await self._opened

    async def close(self) -> None:
        """Finish what was asked for, and stop."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.shield(self._closed)
        self._thread.join()

    async def submit(self, steps: Sequence[Step]) -> list[Any]:
        """Run the steps, and answer with their results once they are on disk.

        Where a step fails the others are recorded all the same, and the first error is raised.
        """
        return await self.ask(steps) if steps else []

    def ask(self, steps: Sequence[Step], weight: int = 1) -> asyncio.Future[list[Any]]:
        """As `submit`, asked for when this returns. Each of the steps, at least one, does the work of `weight`."""
        if self._closing:
            raise Unavailable("the store is closed")
        call = _Call(steps, self._loop.create_future(), weight)
        self._queue.put(call)
        return call.future

    # -- in the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            db = self._connect()
        except Exception as error:  # handed to whoever opens
            self._tell(_set_exception, self._opened, error)
            return
        self._tell(_set_result, self._opened)
        try:
            more = True
            while more or self._waiting:
                more = self._fill(more)
                if self._waiting:
                    self._batch(db, self._next())
        finally:
            db.close()
            self._tell(_set_result, self._closed)

    def _fill(self, more: bool) -> bool:
        """Take what has queued up, waiting only where there is nothing to do. False once there will be no more."""
        while more and len(self._waiting) < MAX_BATCH:
            try:
                call = self._queue.get(block=not self._waiting)
            except queue.Empty:
                break
            if call is None:
                return False
            self._waiting.extend((call, index) for index in range(call.left))
        return more

    def _next(self) -> list[tuple[_Call, int]]:
        batch = [self._waiting.popleft()]
        weight = batch[0][0].weight
        while self._waiting and (weight := weight + self._waiting[0][0].weight) <= MAX_BATCH:
            batch.append(self._waiting.popleft())
        return batch

    def _batch(self, db: sqlite3.Connection, batch: list[tuple[_Call, int]]) -> None:
        written = Written(db, self._audience)
        self._taken = self._refused = False
        try:
            self._transaction(written, batch)
        except _StepError as failure:
            if len(batch) == 1:
                self._fail(batch, failure.told())
            else:
                written = self._one_by_one(db, batch)
        except Exception as error:  # BEGIN or COMMIT failed: nobody's step is to blame, all are told
            written = Written(db, self._audience)
            self._fail(batch, error)
        if self._taken and not self._refused:
            self.trouble = None
        finished = []
        for call, _ in batch:
            call.left -= 1
            if not call.left:
                finished.append(call)
        self._tell(self._deliver, finished, written)

    def _transaction(self, written: Written, batch: list[tuple[_Call, int]]) -> None:
        db = written.db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._audience.look(db)
            for call, index in batch:
                try:
                    call.results[index] = call.steps[index](written)
                except Exception as error:
                    raise _StepError(error) from error
            if self._fault:
                self._fault("before-commit")
            db.execute("COMMIT")
            self._taken = True
        except BaseException:
            if db.in_transaction:  # some errors (disk full, ...) make SQLite roll back by itself
                db.execute("ROLLBACK")
            written.events.clear()
            written.records.clear()
            written.hosts.clear()
            raise
        if self._fault:
            self._fault("after-commit")

    def _one_by_one(self, db: sqlite3.Connection, batch: list[tuple[_Call, int]]) -> Written:
        together = Written(db, self._audience)
        for position, item in enumerate(batch):
            written = Written(db, self._audience)
            try:
                self._transaction(written, [item])
            except _StepError as failure:
                self._fail([item], failure.told())
            except Exception as error:  # what stops one transaction would stop each of the rest
                self._fail(batch[position:], error)
                break
            together.events += written.events
            together.records |= written.records
            together.hosts |= written.hosts
        return together

    def _fail(self, items: Sequence[tuple[_Call, int]], error: Exception) -> None:
        if is_trouble(error) or isinstance(error, Damaged):
            self._refused = True
            self.trouble = lasting(self.trouble, f"nothing can be recorded: {error}")
        _fail(items, error)

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop was closed before the store was: what was asked for is on disk, and nobody is left to be told.
            _log.warning("the event loop ended before the store was closed")

    # -- in the loop --------------------------------------------------------------------------------

    def _deliver(self, finished: list[_Call], written: Written) -> None:
        if written.events or written.hosts:
            self._announce(written)
        for call in finished:
            call.deliver()


class _StepError(Exception):
    """A step raised `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error

    def told(self) -> Exception:
        """What is told of it: BEGIN went well, so that damage which a step meets with is where that step looks."""
        if type(self.error) is not sqlite3.DatabaseError:
            return self.error
        damaged = Damaged(f"the store's database is damaged where this is: {self.error}; repair it, then ask again")
        damaged.__cause__ = self.error
        return damaged


def _fail(items: Sequence[tuple[_Call, int]], error: Exception) -> None:
    if is_trouble(error):
        words = f"the store's database did not take it: {error}; look at its disk, then ask again"
        told = Unavailable(words)
        told.__cause__ = error
        error = told
    for call, index in items:
        call.results[index] = Failed(error)


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _set_exception(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
