"""Watching many jobs: the spool tells at once, one bulk query behind it tells what the spool cannot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

from argosy.batch import BatchSystem
from argosy.batch.records import Record, RecordKind, parse_record, record_name
from argosy.executors.contract import Handle, OnReports, Report
from argosy.executors.tasks import Tasks, over_and_over
from argosy.model import ArgosyError, Command, Completed, Observation, Phase, Unavailable, clock
from argosy.transport import Transport

from .reconcile import STEPS, Policy, Watched, on_duplicate, on_exit, on_seen, on_start, on_unseen
from .spool import Spool
from .strays import Strays

log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The first look after something was submitted, cancelled, or ended in a way that the batch system must explain.
_SOON = 0.3
#: The most jobs that one command names: a command line has an end, and one of its words at 128 KiB.
_NAMED = 2000
#: A question about so many jobs, and its answer, are dealt with in the event loop.
_AT_ONCE = 200
#: So many jobs are judged before the event loop has a turn again.
_IN_A_ROW = 1000
#: After a failure to deliver reports.
_AGAIN = 1.0
#: The most records that are read at a time, besides those that stay.
_FILES = 10_000
#: Tags whose end was told, kept so that records which come late are known to be of no use.
_REMEMBERED = 100_000


class Watcher:
    """The jobs of one driver. Everything but `watch` and the like runs in its own tasks."""

    def __init__(
        self,
        system: BatchSystem,
        transport: Transport,
        spool: Spool,
        run: Callable[[Command], Awaitable[Completed]],
        policy: Policy,
        poll: float,
    ) -> None:
        self._system = system
        self._transport = transport
        self._spool = spool
        self._run = run
        self._policy = policy
        self._poll = poll
        self._shifted = clock.shifted()
        self._jobs: dict[str, Watched] = {}
        self._told: dict[str, None] = {}
        self._strays = Strays()
        self._in_hand: set[str] = set()
        self._outgoing: list[tuple[Report | None, str | None]] = []
        self._outgoing_ready = asyncio.Event()
        self._spool_changed = asyncio.Event()
        self._look = asyncio.Event()
        self._unread = False
        self._next_look = 0.0
        self._pace = _SOON
        self._away: str | None = None
        self._stop_watching: Callable[[], None] | None = None
        self._tasks = Tasks(f"watching jobs on {system.name}")

    async def open(self, on_reports: OnReports) -> None:
        """Begin; the spool's directories exist."""
        self._stop_watching = await self._transport.watch(self._spool.new, self._spool_changed.set)
        self._spool_changed.set()
        # Whatever it is that fails: jobs must go on being watched.
        for work in (self._read_spool, self._ask, lambda: self._deliver(on_reports)):
            self._tasks.start(over_and_over(work, f"watching jobs on {self._system.name}"))

    async def close(self) -> None:
        """Stop. What was not delivered is found again by the next one."""
        if self._stop_watching is not None:
            self._stop_watching()
        await self._tasks.stop()

    # -- what the driver says ---------------------------------------------------------------------

    def native_id(self, tag: str) -> str | None:
        """The native id of a job that is being watched."""
        job = self._jobs.get(tag)
        return None if job is None else job.handle.native_id

    def watch(self, handles: Iterable[Handle]) -> None:
        """Watch these too."""
        now = clock.now()
        fresh: set[str] = set()
        for handle in handles:
            if handle.tag not in self._jobs:
                # `since` 0: nothing is known yet, so no observation can be older than what is known.
                self._jobs[handle.tag] = Watched(handle, since=0.0)
                self._told.pop(handle.tag, None)
                fresh.add(handle.tag)
        self._read_again(fresh)
        if fresh:
            self.look_soon(now)

    def cancelling(self, tags: Iterable[str], asked: bool = True) -> None:
        """The batch system is asked to cancel these; not `asked`: it refused."""
        for tag in tags:
            if tag in self._jobs:
                self._jobs[tag].cancel_asked = asked

    def drop(self, tags: set[str]) -> None:
        """Do not watch these any more; their records are of no use."""
        for tag in tags:
            self._jobs.pop(tag, None)
            self._remember(tag)
        self._read_again(tags)

    def look_soon(self, now: float | None = None) -> None:
        """Something is about to change: look at the queue soon, and at shorter intervals for a while."""
        self._pace = _SOON
        due = (clock.now() if now is None else now) + _SOON
        if not self._next_look or due < self._next_look:
            self._next_look = due
        self._look.set()

    # -- the spool --------------------------------------------------------------------------------

    async def _read_spool(self) -> None:
        # Behind the notification there is a look from time to time: not every file system notifies.
        with contextlib.suppress(TimeoutError):
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with what is waited for.
            async with asyncio.timeout(self._poll):
                await self._spool_changed.wait()
        self._spool_changed.clear()
        try:
            # Those that stay must not hide what comes.
            limit = _FILES + len(self._strays) + len(self._in_hand)
            files = await self._transport.collect(self._spool.new, limit=limit)
        except Unavailable as error:
            if not self._unread:  # once, however often it is tried
                log.warning("the status spool cannot be read, and is tried again: %s", error)
            self._unread = True
        else:
            if self._unread:
                log.warning("the status spool is read again: %s", self._spool.root)
            self._unread = False
            now = clock.now()
            # In the order in which they were written, so that a short job is seen to have run.
            for name, data in sorted(files, key=lambda file: (_step(file[0]), file[0])):
                if name not in self._in_hand and name not in self._strays:
                    self._take_record(name, data, now)
            if len(files) == limit:
                self._spool_changed.set()  # there may be more
            await self._remove_old(now)

    async def _remove_old(self, now: float) -> None:
        """Remove records that are of no use any more: of copies that ran nothing, say, or of jobs that were purged."""
        policy = self._policy
        old = self._strays.old(now - policy.stray_after, now - policy.stray_known)
        names = [name for name, tag in old.items() if tag not in self._jobs]
        if names:
            words = "%d old records in %s, of jobs that nobody watches, are removed: %s of %s, for one"
            log.warning(words, len(names), self._spool.new, names[0], old[names[0]])
            await self._remove(names)

    def _take_record(self, name: str, data: bytes, now: float) -> None:
        try:
            record = parse_record(name, data)
        except ValueError as odd:
            log.error("a record in the spool cannot be read and is left there: %s: %r", odd, data[:500])  # noqa: TRY400
            self._strays.keep(name, "", now, now)
            return
        job = self._jobs.get(record.tag)
        if job is None:
            if record.tag in self._told:
                self._send(None, name)
            else:
                self._strays.keep(name, record.tag, record.time, now)
            return
        report = self._judge(job, record, now)
        if report is None and job.record is record:
            self._strays.keep(name, record.tag, record.time, now)  # kept until the batch system has had its say
            self.look_soon(now)
            return
        self._send(report, name)

    def _judge(self, job: Watched, record: Record, now: float) -> Report | None:
        if job.concluded:
            return None
        if record.kind is RecordKind.DUPLICATE:
            return on_duplicate(job, record, now)
        if record.native_id != job.handle.native_id:
            job.phase = None  # what was seen was another copy
            job.handle = Handle(job.handle.tag, record.native_id, job.handle.rerunnable)
        if record.kind in STEPS:
            return on_start(job, record, now)
        started = None if job.phase is Phase.RUNNING or not record.ran else _start_of(job, record)
        if started is not None:
            self._send(started, None)
        return on_exit(job, record, now)

    # -- the queue --------------------------------------------------------------------------------

    def _follow_clock(self) -> None:
        """Where the clock has been set, so is what is compared with it."""
        by = clock.shifted() - self._shifted
        if not by:
            return
        self._shifted += by
        self._next_look += by
        for job in self._jobs.values():
            job.since += by if job.since else 0.0
            job.record_at += by
            job.ended_at = None if job.ended_at is None else job.ended_at + by
            job.unseen_since = None if job.unseen_since is None else job.unseen_since + by

    async def _ask(self) -> None:
        clock.now()
        self._follow_clock()
        delay = self._next_look - clock.now()
        if not self._jobs:
            self._look.clear()
            await self._look.wait()
        elif delay > 0:
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._look.wait()
        else:
            self._pace = min(self._pace * 2, self._poll)
            self._next_look = clock.now() + self._pace
            await self._look_at_queue()

    async def _look_at_queue(self) -> None:
        asked = clock.now()
        jobs = {job.handle.native_id: job for job in self._jobs.values() if not job.concluded}
        if not jobs:
            return
        ids = list(jobs)
        try:
            done = await self._run(await self._aside(len(ids), self._system.status, ids))
            snapshot = await self._aside(len(ids), self._system.parse_status, done, ids)
        except ArgosyError as error:
            self._is_away(str(error))
            return
        self._is_away(None)
        for native_id, line in snapshot.unreadable:
            log.error("%s: a line about job %s cannot be read: %r", self._system.name, native_id or "?", line)
        unseen = [native_id for native_id in ids if native_id not in snapshot.jobs]
        accounted, answered = await self._account(unseen)
        now = clock.now()
        shifted = clock.shifted() - self._shifted
        self._follow_clock()
        asked += shifted
        for number, (native_id, job) in enumerate(jobs.items()):
            if number % _IN_A_ROW == _IN_A_ROW - 1:
                await asyncio.sleep(0)  # others want the loop too
            if job.concluded or job.handle.native_id != native_id:
                continue
            seen = snapshot.jobs.get(native_id)
            kept = job.record
            if seen is not None:
                report = on_seen(job, seen, asked, now, self._policy)
            elif asked <= job.since:
                continue
            else:
                report = on_unseen(job, accounted.get(native_id), now, self._policy, answered=answered)
            if kept is not None and job.record is None:
                self._forget_record(job, kept)
            if report is not None:
                self._send(report, None)
            elif job.record is not None or job.ended_at is not None or job.unseen_since is not None:
                # Where the spool's file system does not notify, its record may lie there already.
                self._spool_changed.set()
                self._next_look = min(self._next_look, now + min(max(self._pace, _SOON), 2.0))

    @staticmethod
    async def _aside(many: int, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do what takes its time with many jobs in a thread; the loop goes on meanwhile."""
        if many > _AT_ONCE:
            with contextlib.suppress(RuntimeError):  # no thread can be had
                return await asyncio.to_thread(work, *args, **kwargs)
        return work(*args, **kwargs)

    async def _account(self, ids: list[str]) -> tuple[dict[str, Observation], bool]:
        """What accounting knows of these, and whether it has answered about all; where there is none it has no more."""
        known: dict[str, Observation] = {}
        for begin in range(0, len(ids), _NAMED):
            some = ids[begin : begin + _NAMED]
            command = self._system.accounting(some)
            if command is None:
                break
            try:
                snapshot = self._system.parse_accounting(await self._run(command), some)
            except Unavailable as error:
                log.debug("%s: accounting does not answer: %s", self._system.name, error)
                return known, False
            for native_id, line in snapshot.unreadable:
                log.error("%s: accounting's line on %s cannot be read: %r", self._system.name, native_id or "?", line)
            known |= snapshot.jobs
        return known, True

    def _is_away(self, words: str | None) -> None:
        if words is not None and self._away is None:
            log.warning("%s does not answer; its jobs are left as they were last seen: %s", self._system.name, words)
        elif words is None and self._away is not None:
            log.warning("%s answers again", self._system.name)
        self._away = words

    # -- reporting --------------------------------------------------------------------------------

    def _send(self, report: Report | None, name: str | None) -> None:
        if name is not None:
            self._in_hand.add(name)
        self._outgoing.append((report, name))
        self._outgoing_ready.set()

    async def _deliver(self, on_reports: OnReports) -> None:
        await self._outgoing_ready.wait()
        self._outgoing_ready.clear()
        outgoing, self._outgoing = self._outgoing, []
        reports = [report for report, _ in outgoing if report is not None]
        while reports:
            try:
                await on_reports(reports)
                break
            except Exception:
                log.exception("%d reports could not be handed on; they are kept and offered again", len(reports))
                await asyncio.sleep(_AGAIN)
        names = [name for _, name in outgoing if name is not None]
        for report in reports:
            if report.phase is Phase.ENDED:
                self._jobs.pop(report.tag, None)
                self._remember(report.tag)
                names += self._strays.of(report.tag)
        await self._remove(names)

    def _read_again(self, tags: Iterable[str]) -> None:
        """Look once more at the records that were left in the spool for these."""
        if self._strays.read_again(tags):
            self._spool_changed.set()

    def _forget_record(self, job: Watched, record: Record) -> None:
        """A record that was kept for the batch system's word has turned out to be of an earlier run."""
        name = record_name(record.native_id, record.run, record.kind)
        if name in self._strays.of(job.handle.tag):
            self._strays.let_go(name)
            self._send(None, name)

    async def _remove(self, names: list[str]) -> None:
        if not names:
            return
        try:
            await self._transport.remove([self._spool.record(name) for name in names])
        except Unavailable as error:
            log.warning("records that were dealt with cannot be removed: %s", error)
            return
        self._in_hand.difference_update(names)
        for name in names:
            self._strays.let_go(name)

    def _remember(self, tag: str) -> None:
        self._told[tag] = None
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]


def _step(name: str) -> int:
    """Which of a run's records comes before which."""
    kind = name.rpartition(".")[2]
    return list(STEPS).index(RecordKind(kind)) if kind in STEPS else len(STEPS)


def _start_of(job: Watched, record: Record) -> Report | None:
    """The start of a job whose end was seen first, from what its exit record says."""
    wall = record.usage.wall_seconds if record.usage else None
    begun = record.time - (wall or 0.0)
    job.phase, job.hosts = Phase.RUNNING, record.hosts
    return Report(job.handle.tag, job.handle.native_id, Phase.RUNNING, begun, hosts=record.hosts, run=record.run)
