"""The stages around the job: its input files are fetched, its output files delivered.

A stage may be begun again after a crash at any instant. Each file that has arrived, and each target that has been
served, is an event of the activity, and is not moved again by the same stage.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from argosy.model import ActivityDescription, ArgosyError, InputFile, NotFound, OutputFile
from argosy.staging import Credentials, Fault, Fetch, Fetched, Progress, Push, Pushed, TransferFailed
from argosy.store import Activity, Store

from .progress import Moving
from .quotas import Quotas
from .sessions import Sessions

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Files of one activity that are moved, or wait for their turn, at the same time.
_AT_ONCE = 64
_PAGE = 1000

#: The kinds of the events that tell of files.
FETCHED, PUSHED, NOT_PUSHED = "fetched", "pushed", "not-pushed"


class Mover(Protocol):
    """What of `argosy.staging.Staging` is used here."""

    async def fetch(self, request: Fetch, progress: Progress | None = None) -> Fetched: ...

    async def push(self, request: Push, progress: Progress | None = None) -> Sequence[Pushed]: ...


class FindCredentials:
    """Finds with what an activity's files are moved. This one finds nothing: nothing was delegated."""

    async def __call__(self, activity: Activity, description: ActivityDescription) -> Credentials | None:
        """None where they are moved without any. Raises TransferFailed where one has expired."""
        del activity, description
        return None

    def renewals(self, owner: str) -> int:
        """Another number than before: the owner's credentials are others than before."""
        del owner
        return 0


#: Told of each file: the kind of event, a sentence, and the facts.
Tell = Callable[[str, str, dict[str, Any]], None]


@dataclass(slots=True)
class Failures:
    """What did not work in a stage, in words, by what is to be done about it."""

    hard: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    credential: list[str] = field(default_factory=list)

    def add(self, path: str, words: str, fault: Fault | None) -> None:
        """Remember one."""
        kind = {Fault.FULL: self.full, Fault.CREDENTIAL: self.credential}
        kind.get(fault, self.hard).append(f"{path}: {words}")  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return bool(self.hard or self.full or self.credential)


def words_of(failures: Sequence[str], most: int = 5) -> str:
    """Failures as one sentence, of which there may be thousands."""
    more = f"; and {len(failures) - most} more" if len(failures) > most else ""
    return "; ".join(failures[:most]) + more


class Transfers:
    """Moves the files of activities. What it is told to stop is stopped at once, and leaves no half a file."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        mover: Mover,
        credentials: FindCredentials,
        quotas: Quotas,
        fault: Callable[[str], None],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._mover = mover
        self._credentials = credentials
        self._quotas = quotas
        self._fault = fault

    def renewals(self, owner: str) -> int:
        """As `FindCredentials.renewals`."""
        return self._credentials.renewals(owner)

    # -- stage-in ---------------------------------------------------------------------------------

    async def stage_in(
        self, activity: Activity, description: ActivityDescription, moving: Moving, tell: Tell
    ) -> Failures:
        """Fetch every input file that has sources."""
        wanted = [file for file in description.inputs if file.sources]
        there = await self._fetched(activity)
        wanted = [file for file in wanted if not await self._is_there(activity, file, there)]
        failures = Failures()
        if not wanted:
            return failures
        try:
            credentials = await self._credentials(activity, description)
        except (TransferFailed, NotFound) as error:
            # One that was removed may be replaced, as one that has expired.
            fault = error.fault if isinstance(error, TransferFailed) else Fault.CREDENTIAL
            failures.add("credentials", error.message, fault)
            return failures

        async def one(file: InputFile) -> None:
            try:
                done = await self._fetch(activity, file, credentials, moving)
            except ArgosyError as error:
                failures.add(file.path, error.message, _fault_of(error))
                moving.failed("fetch", file.path, error.message)
                if failures.hard or failures.full:
                    raise _Enough from None
                return
            self._fault("fetched")
            tell(FETCHED, f"{file.path} from {done.source}", _fetched(file.path, done))

        await _together(wanted, one)
        return failures

    async def _fetch(
        self,
        activity: Activity,
        file: InputFile,
        credentials: Credentials | None,
        moving: Moving,
    ) -> Fetched:
        async with self._quotas.room(activity, file.size) as most:
            done = await self._fetch_into(activity, file, credentials, moving, most)
            self._quotas.came(activity, done.size)
        return done

    async def _fetch_into(
        self, activity: Activity, file: InputFile, credentials: Credentials | None, moving: Moving, most: int | None
    ) -> Fetched:
        given = (("sha256", file.sha256), ("adler32", file.adler32), ("md5", file.md5))
        request = Fetch(
            activity.session,
            file.path,
            tuple(file.sources),
            size=file.size,
            checksums={name: value for name, value in given if value is not None},
            executable=file.executable,
            creation=file.creation,
            credentials=credentials,
            owner=activity.owner,
            token=f"{activity.id}/in",
            most=most,
        )
        transfer = moving.begun("fetch", file.path, total=file.size)

        def progress(moved: int, total: int | None) -> None:
            transfer.moved, transfer.total = moved, total
            self._fault("fetching")

        done = await self._mover.fetch(request, progress)
        transfer.done(done.source, done.size)
        return done

    async def _fetched(self, activity: Activity) -> dict[str, int]:
        """The input files that have arrived, with their sizes."""
        return {
            str(detail["path"]): int(detail["size"]) async for kind, detail in self._told(activity) if kind == FETCHED
        }

    async def _is_there(self, activity: Activity, file: InputFile, there: dict[str, int]) -> bool:
        if file.path not in there:
            return False
        size = await asyncio.to_thread(self._sessions.size_of, activity.session, file.path)
        # Of a directory the events tell the size of all its files: it is looked through again.
        return size is not None and size == there[file.path]

    # -- stage-out --------------------------------------------------------------------------------

    async def stage_out(
        self, activity: Activity, description: ActivityDescription, moving: Moving, tell: Tell
    ) -> Failures:
        """Push every output file to all its targets that it has not reached yet."""
        # By number: a target's URL may hold a signature, which is nobody else's business.
        served = {
            (str(detail["path"]), int(detail["number"]))
            async for kind, detail in self._told(activity)
            if kind == PUSHED and "error" not in detail and detail.get("job") == activity.tag
        }
        wanted = [
            (file, targets)
            for file in description.outputs
            if (targets := [at for at in enumerate(file.targets) if (file.path, at[0]) not in served])
        ]
        failures = Failures()
        if not wanted:
            return failures
        try:
            credentials = await self._credentials(activity, description)
        except (TransferFailed, NotFound) as error:
            # One that was removed may be replaced, as one that has expired.
            fault = error.fault if isinstance(error, TransferFailed) else Fault.CREDENTIAL
            failures.add("credentials", error.message, fault)
            return failures

        async def one(item: tuple[OutputFile, list[tuple[int, str]]]) -> None:
            file, targets = item
            for target in targets:
                await self._push(activity, file, target, credentials, moving, tell, failures)

        await _together(wanted, one)
        return failures

    async def _push(
        self,
        activity: Activity,
        file: OutputFile,
        target: tuple[int, str],
        credentials: Credentials | None,
        moving: Moving,
        tell: Tell,
        failures: Failures,
    ) -> None:
        request = Push(
            activity.session,
            file.path,
            (target[1],),
            creation=file.creation,
            credentials=credentials,
            optional=file.optional,
            owner=activity.owner,
            token=f"{activity.tag}/out",
        )
        transfer = moving.begun("push", file.path)

        def progress(moved: int, total: int | None) -> None:
            transfer.moved, transfer.total = moved, total
            self._fault("pushing")

        begun = time.monotonic()
        try:
            answers = await self._mover.push(request, progress)
        except ArgosyError as error:
            shown = error.message
            failures.add(file.path, shown, _fault_of(error))
            moving.failed("push", file.path, shown)
            detail = {"path": file.path, "seconds": round(time.monotonic() - begun, 3), "error": shown}
            tell(NOT_PUSHED, f"{file.path}: {shown}", detail)
            return
        self._fault("pushed")
        for done in answers:
            detail = {
                "path": file.path,
                "target": done.url,
                "files": done.files,
                "size": done.size,
                "seconds": round(done.seconds, 3),
                "attempts": done.attempts,
            }
            if done.error is None:
                transfer.done(done.url, done.size)
                if done.files:
                    detail |= {"verified": done.verified, "job": activity.tag, "number": target[0]}
                    tell(PUSHED, f"{file.path} to {done.url}", detail)
            else:
                fault = None if done.fault is None else Fault(done.fault)
                failures.add(file.path, f"{done.url}: {done.error}", fault)
                moving.failed("push", file.path, done.error)
                tell(NOT_PUSHED, f"{file.path} to {done.url}: {done.error}", detail | {"error": done.error})

    async def _told(self, activity: Activity) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        after = 0
        while True:
            events = await self._store.events(activity.id, after=after, limit=_PAGE)
            for event in events:
                if event.detail is not None:
                    yield event.kind, event.detail
            if len(events) < _PAGE:
                return
            after = events[-1].seq


class _Enough(Exception):
    """What is under way for the same stage is stopped: it cannot succeed any more."""


async def _together(items: Iterable[T], one: Callable[[T], Awaitable[None]]) -> None:
    """Do `one` to all, some at a time. A cancellation waits until all have stopped."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await one(item)

    tasks = [asyncio.create_task(work()) for _ in range(_AT_ONCE)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, _Enough):
            raise error


def _fault_of(error: ArgosyError) -> Fault | None:
    return error.fault if isinstance(error, TransferFailed) else None


def _fetched(path: str, done: Fetched) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "path": path,
        "source": done.source,
        "size": done.size,
        "seconds": round(done.seconds, 3),
        "attempts": done.attempts,
    }
    if done.files != 1:
        detail["files"] = done.files
    if done.cached:
        detail["cached"] = True
    if done.checksums:
        detail["checksums"] = dict(done.checksums)
    if done.tried:
        detail["tried"] = [{"source": source, "error": words} for source, words in done.tried]
    return detail
