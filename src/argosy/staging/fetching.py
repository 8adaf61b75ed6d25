"""Bringing files into a session directory."""

from __future__ import annotations

import functools
import time
from dataclasses import replace

from argosy.model import ArgosyError, InvalidInput
from argosy.model.description import session_path
from argosy.outbound import Url, shown

from .attempts import as_failure, paced, with_patience
from .beneath import make_directory, parent_of
from .cache import Cache, Kept, Slot
from .checksums import check_declared
from .contract import Credentials, Fetch, Fetched, Progress
from .desk import Desk, telling
from .errors import Fault, TransferFailed
from .pace import Meter
from .placing import Arrival, already
from .scheme import Call, Entry, Scheme
from .sink import FileSink
from .threads import run
from .words import all_failed, checked_path, gate, quoted, with_path


class Fetcher:
    """Performs `Fetch` requests."""

    def __init__(self, desk: Desk, cache: Cache | None) -> None:
        self._desk = desk
        self._cache = cache

    async def fetch(self, request: Fetch, progress: Progress | None) -> Fetched:
        """See `Staging.fetch`."""
        path = checked_path(request.path)
        if path != request.path or request.checksums:
            request = replace(request, path=path, checksums=check_declared(request.checksums))
        begun = time.monotonic()
        failures: list[tuple[str, TransferFailed]] = []
        for source in request.sources:
            try:
                done = await self._from(request, source, progress)
            except ArgosyError as error:
                failure = as_failure(error)
                if failure is None:
                    raise
                if failure.fault in (Fault.FULL, Fault.EXISTS):
                    # That is about this side; another source changes nothing.
                    raise failure from error
                failures.append((shown(source), failure))
            else:
                return replace(
                    done,
                    seconds=time.monotonic() - begun,
                    tried=tuple((where, failure.message) for where, failure in failures),
                )
        raise all_failed(request.path, failures)

    async def _from(self, request: Fetch, source: str, progress: Progress | None) -> Fetched:
        url = Url.parse(source)
        scheme = self._desk.schemes.check(url, "fetch", request.creation, None)
        meter = Meter(request.size)
        with telling(meter, progress):
            if url.is_directory or request.path.endswith("/"):
                if request.checksums or request.size is not None:
                    raise InvalidInput("a directory has neither a size nor a checksum to be compared")
                return await self._directory(request, scheme, url, meter)
            return await self._file(request, scheme, url, request.path, meter)

    async def _directory(self, request: Fetch, scheme: Scheme, url: Url, meter: Meter) -> Fetched:
        if not scheme.can_list:
            raise InvalidInput(f"{url.scheme}: does not tell what is in a directory; name the files")
        if not url.is_directory:
            url = Url.parse(with_path(url, url.path + "/"))
        call = Call(request.credentials or Credentials())
        base = request.path.rstrip("/")

        async def listed() -> list[Entry]:
            entries: list[Entry] = []
            async with self._desk.hosts.one(gate(scheme, url)):
                async for entry in scheme.entries(url, call):
                    entries.append(entry)
                    if len(entries) > self._desk.config.max_entries:
                        raise TransferFailed(
                            f"{url} has more than {self._desk.config.max_entries} files", Fault.REFUSED
                        )
            return entries

        entries, attempts = await with_patience(self._desk.patience, listed)
        if base:
            make_directory(request.directory, base)
        meter.total = sum(entry.size or 0 for entry in entries)
        jobs = []
        for entry in entries:
            path = session_path(f"{base}/{entry.path}" if base else entry.path)
            if entry.directory:
                make_directory(request.directory, path)
                continue
            jobs.append((Url.parse(with_path(url, url.path + quoted(entry.path))), path))
        done = await self._desk.together(
            [
                lambda place=where, path=path: self._file(request, scheme, place, path, meter)  # type: ignore[misc]
                for where, path in jobs
            ]
        )
        return Fetched(
            source=str(url),
            size=sum(one.size for one in done),
            seconds=0.0,
            files=len(done),
            attempts=attempts - 1 + sum(one.attempts for one in done) if done else attempts,
            cached=bool(done) and all(one.cached for one in done),
        )

    async def _file(self, request: Fetch, scheme: Scheme, url: Url, path: str, meter: Meter) -> Fetched:
        with parent_of(request.directory, path, make=True) as (parent, name):
            if name == ".":
                raise InvalidInput("a file needs a name", element="path")
            there = None
            if request.creation != "overwrite":
                there = await run(self._desk.disk, already, request, parent, name, path)
            if there is not None:
                return Fetched(str(url), there.st_size, 0.0, attempts=0)
            if self._cache is None or not request.cacheable or not scheme.cached:
                return await self._download(request, scheme, url, path, (parent, name), meter, None)
            call = Call(request.credentials or Credentials())
            async with self._cache.turn(url, request.owner, request.credentials) as slot:
                kept = await self._usable(slot.kept, request, scheme, url, call)
                if kept is not None:
                    try:
                        return await self._copied(kept, request, url, path, (parent, name), meter)
                    finally:
                        kept.close()
                return await self._download(request, scheme, url, path, (parent, name), meter, slot)

    async def _usable(self, kept: Kept | None, request: Fetch, scheme: Scheme, url: Url, call: Call) -> Kept | None:
        """What is kept, if the source says that it is still what it has. Otherwise None, and it is closed."""
        if kept is None:
            return None
        try:
            declared = request.checksums.get("sha256")
            if declared is not None and declared == kept.sha256:
                return kept
            async with self._desk.hosts.one(gate(scheme, url)):
                if kept.validator and await scheme.unchanged(url, kept.validator, call):
                    return kept
        except ArgosyError as error:
            if as_failure(error) is None:
                raise
            # The download is going to tell, or to work.
        except BaseException:
            kept.close()
            raise
        kept.close()
        return None

    async def _copied(
        self, kept: Kept, request: Fetch, url: Url, path: str, where: tuple[int, str], meter: Meter
    ) -> Fetched:
        sink = self._sink(request, url, path, where[0], meter, ())
        try:
            if request.size is not None and request.size != kept.size:
                raise TransferFailed(f"{url} has {kept.size} bytes; {request.size} were declared", Fault.CORRUPT)
            sink.expect(kept.size)
            if set(request.checksums) <= {"sha256"} and request.checksums.get("sha256") in (None, kept.sha256):
                await run(self._desk.disk, sink.adopt, kept.descriptor, kept.size)
            else:
                async for piece in kept.chunks(self._desk.disk):
                    await sink.write(piece)
                await sink.finished()
            sums = await self._desk.landing.land(Arrival(request, sink, *where, path))
        finally:
            await sink.close()
        return Fetched(str(url), kept.size, 0.0, attempts=1, cached=True, checksums={"sha256": kept.sha256, **sums})

    async def _download(
        self,
        request: Fetch,
        scheme: Scheme,
        url: Url,
        path: str,
        where: tuple[int, str],
        meter: Meter,
        slot: Slot | None,
    ) -> Fetched:
        call = Call(request.credentials or Credentials())
        sink = self._sink(request, url, path, where[0], meter, ("sha256",) if slot is not None else ())

        async def attempt() -> dict[str, str]:
            async with self._desk.hosts.one(gate(scheme, url)):
                await paced(scheme.fetch(url, sink, call), self._desk.pace, meter, url)
            await sink.finished()
            keep = functools.partial(slot.keep, sink) if slot is not None and slot.wants(sink) else None
            return await self._desk.landing.land(Arrival(request, sink, *where, path, keep))

        async def again(failure: TransferFailed) -> None:
            if failure.fault is Fault.CORRUPT:
                await sink.restart()
            else:
                await sink.settle()

        try:
            sums, attempts = await with_patience(self._desk.patience, attempt, again)
        finally:
            await sink.close()
        return Fetched(str(url), sink.offset, 0.0, attempts=attempts, checksums=sums)

    def _sink(self, request: Fetch, url: Url, path: str, parent: int, meter: Meter, also: tuple[str, ...]) -> FileSink:
        most = [limit for limit in (self._desk.config.max_file, request.most) if limit is not None]
        return FileSink(
            parent,
            str(url),
            self._desk.disk,
            size=request.size,
            checksums=request.checksums,
            also=also,
            most=min(most) if most else None,
            executable=request.executable,
            meter=meter,
            throttle=self._desk.throttle,
        )
