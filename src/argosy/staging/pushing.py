"""Sending files from a session directory to where they are wanted."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

from argosy.model import ArgosyError, InvalidInput
from argosy.outbound import Url, shown

from . import marks
from .attempts import as_failure, paced, with_patience
from .content import FileContent, open_content
from .contract import Credentials, Progress, Push, Pushed
from .desk import Desk, telling
from .errors import Fault, TransferFailed
from .finding import Found, find, is_pattern
from .joined import Joined, Reading
from .pace import Meter
from .scheme import Call, Content, Scheme
from .threads import run
from .words import checked_path, gate, quoted, with_path


@dataclass
class _Sum:
    files: int = 0
    size: int = 0
    attempts: int = 0
    verified: bool = True


class Pusher:
    """Performs `Push` requests."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def push(self, request: Push, progress: Progress | None) -> list[Pushed]:
        """See `Staging.push`."""
        path = checked_path(request.path)
        if path != request.path:
            request = replace(request, path=path)
        meter = Meter()
        try:
            found, content = await self._look(request, meter)
        except ArgosyError as caught:
            failure = as_failure(caught)
            if failure is None:
                raise
            if failure.fault is Fault.MISSING and request.optional:
                return [Pushed(shown(target), 0, 0, 0.0, attempts=0) for target in request.targets]
            return [
                Pushed(shown(target), 0, 0, 0.0, attempts=0, error=failure.message, fault=failure.fault.value)
                for target in request.targets
            ]
        meter.total = sum(one.size for one in found) * len(request.targets)
        try:
            with telling(meter, progress):
                return await self._desk.together(
                    [partial(self._to, request, found, content, target, meter) for target in request.targets]
                )
        finally:
            _close(content)

    async def _look(self, request: Push, meter: Meter) -> tuple[list[Found], FileContent | None]:
        """The files that are meant; the content of the only one if it is for one target only."""
        path = request.path
        if not is_pattern(path) and not path.endswith("/"):
            content = await self._desk.glance(request.directory, lambda: self._open(request, path, meter), _close)
            if content is not None:
                found = [Found(path, os.path.basename(path), content.size, plain=True)]
                if len(request.targets) == 1:
                    return found, content
                content.close()
                return found, None
        return await run(self._desk.disk, find, request.directory, path, self._desk.config.max_entries), None

    def _open(self, request: Push, path: str, meter: Meter) -> FileContent | None:
        return open_content(request.directory, path, self._desk.disk, meter, self._desk.throttle)

    async def _to(
        self, request: Push, found: list[Found], content: FileContent | None, target: str, meter: Meter
    ) -> Pushed:
        begun = time.monotonic()
        done = _Sum()
        error: TransferFailed | None = None
        try:
            await self._all(request, found, content, Url.parse(target), meter, done)
        except ArgosyError as caught:
            error = as_failure(caught)
            if error is None:
                raise
        return Pushed(
            url=shown(target),
            files=done.files,
            size=done.size,
            seconds=time.monotonic() - begun,
            attempts=done.attempts,
            error=None if error is None else error.message,
            fault=None if error is None else error.fault.value,
            verified=error is None and done.files > 0 and done.verified,
        )

    async def _all(
        self, request: Push, found: list[Found], content: FileContent | None, url: Url, meter: Meter, done: _Sum
    ) -> None:
        scheme = self._desk.schemes.check(url, "push", request.creation, None)
        plain = len(found) == 1 and found[0].plain
        if not plain and not url.is_directory:
            url = Url.parse(with_path(url, url.path + "/"))

        async def one(file: Found) -> None:
            place = Url.parse(with_path(url, url.path + quoted(file.name))) if url.is_directory else url
            attempts, verified, size = await self._file(request, scheme, place, file.path, content, meter)
            done.files += 1
            done.size += size
            done.attempts += attempts
            done.verified = done.verified and verified

        await self._desk.together([lambda file=file: one(file) for file in found])  # type: ignore[misc]

    async def _file(
        self, request: Push, scheme: Scheme, url: Url, path: str, opened: FileContent | None, meter: Meter
    ) -> tuple[int, bool, int]:
        call = Call(request.credentials or Credentials())
        content = opened
        if content is None:
            content = await self._desk.glance(request.directory, lambda: self._open(request, path, meter), _close)
        if content is None:
            raise TransferFailed(f"{path!r} has become a directory", Fault.TRANSIENT)
        sent = content

        async def attempt() -> bool:
            before = meter.moved
            try:
                async with self._desk.hosts.one(gate(scheme, url)):
                    return await paced(self._sent(request, scheme, url, path, sent, call), self._desk.pace, meter, url)
            except BaseException:
                meter.lost += meter.moved - before
                raise

        try:
            verified, attempts = await with_patience(self._desk.patience, attempt)
            self._desk.fault("push-arrived")
            content.unchanged()
            return attempts, verified, content.size
        finally:
            if content is not opened:
                content.close()

    async def _sent(self, request: Push, scheme: Scheme, url: Url, path: str, content: FileContent, call: Call) -> bool:
        if request.creation == "overwrite":
            return await scheme.push(url, content, "overwrite", call)
        there = await scheme.stat(url, call)
        if request.creation == "refuse":
            if there is None:
                return await scheme.push(url, content, "refuse", call)
            if there.size == content.size and await self._is_the_same(scheme, url, content, call):
                # Sent before a crash, or by another activity: nothing would change.
                return True
            raise TransferFailed(f"there is something at {url} already, and it must not be replaced", Fault.EXISTS)
        return await self._append(request, scheme, url, path, content, call)

    async def _append(
        self, request: Push, scheme: Scheme, url: Url, path: str, content: FileContent, call: Call
    ) -> bool:
        """What is there is read, our part added, and the whole put in its place: never half of it is seen."""
        there = await scheme.stat(url, call)
        if there is None:
            return await scheme.push(url, content, "overwrite", call)
        if there.size is None:
            raise TransferFailed(f"{url} does not say how large it is; nothing can be added to it", Fault.REFUSED)
        token = f"push {request.token} {path} {url.text}"
        mark = await run(self._desk.disk, marks.read, request.directory, token) if request.token else None
        if mark is not None and mark.get("size") == there.size - content.size:
            return True
        joined = await Joined.read(request.directory, scheme, url, there.size, content, call, self._desk)
        try:
            if request.token:
                await run(self._desk.disk, marks.write, request.directory, token, {"size": there.size})
            return await scheme.push(url, joined, "overwrite", call)
        finally:
            await joined.close()

    async def _is_the_same(self, scheme: Scheme, url: Url, content: Content, call: Call) -> bool:
        if not scheme.can_fetch:
            return False
        reading = Reading(("sha256",), self._desk.disk, content.size)
        try:
            await scheme.fetch(url, reading, call)
        except TransferFailed as failure:
            if failure.fault in (Fault.CORRUPT, Fault.REFUSED):
                return False
            raise
        return reading.sums()["sha256"] == await content.checksum("sha256")


def _close(content: FileContent | None) -> None:
    if content is not None:
        content.close()


async def all_of(content: Content) -> bytes:
    """A small file whole."""
    parts: AsyncIterator[bytes] = content.chunks()
    return b"".join([part async for part in parts])


def check_targets(paths: Push) -> None:
    """Raise InvalidInput where a request has nowhere to go."""
    if not paths.targets:
        raise InvalidInput("there is no target", element="targets")
