"""A file of the session directory while it is sent."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from argosy.model import NotFound

from .beneath import parent_of
from .checksums import Checksums
from .errors import Fault, TransferFailed
from .pace import Meter, Throttle
from .threads import run

PIECE = 1024 * 1024
#: What is no larger is read whole when it is opened: a turn of a thread costs more than reading it.
_SMALL = 64 * 1024


class FileContent(ABC):
    """What is sent of a file. Its size is that at the time it was opened: what is added later is not sent."""

    def __init__(self, size: int, meter: Meter, throttle: Throttle) -> None:
        self.size = size
        self.meter = meter
        self._throttle = throttle
        self._at = 0
        self._sums: dict[str, str] = {}

    @abstractmethod
    def part(self, offset: int, size: int) -> bytes:
        """A part of it, whole. Raises TransferFailed."""

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, from the first on."""

    async def checksum(self, algorithm: str) -> str:
        """Of the whole, in hexadecimal; computed once."""
        if algorithm not in self._sums:
            self._sums[algorithm] = self._computed(algorithm)
        return self._sums[algorithm]

    @abstractmethod
    def unchanged(self) -> None:
        """Raise TransferFailed where the file was written to while it was sent: what is there now may be a mixture."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def rewind(self) -> None:
        """Before `read_blocking`: begin with the first byte."""
        self._at = 0

    def read_blocking(self, size: int) -> bytes:
        """The next bytes; empty at the end."""
        data = self.part(self._at, min(size, self.size - self._at))
        due = self._throttle.due(len(data))
        if due > 0:
            threading.Event().wait(due)
        self._at += len(data)
        self.meter.moved += len(data)
        return data

    async def sent(self, size: int) -> None:
        """See `Content`."""
        due = self._throttle.due(size)
        if due > 0:
            await asyncio.sleep(due)
        self.meter.moved += size

    def _computed(self, algorithm: str) -> str:
        sums = Checksums([algorithm])
        for offset in range(0, self.size, PIECE):
            sums.update(self.part(offset, min(PIECE, self.size - offset)))
        return sums.hexadecimal()[algorithm]


class HeldContent(FileContent):
    """A small file, read whole at one moment."""

    def __init__(self, data: bytes, meter: Meter, throttle: Throttle) -> None:
        super().__init__(len(data), meter, throttle)
        self._data = data

    def part(self, offset: int, size: int) -> bytes:
        """See `FileContent`."""
        return self._data[offset : offset + size]

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `FileContent`."""
        if self._data:
            await self.sent(self.size)
            yield self._data

    def unchanged(self) -> None:
        """See `FileContent`: what was sent is what the file was at one moment."""

    def close(self) -> None:
        """See `FileContent`: it was closed when it had been read."""


class OpenContent(FileContent):
    """An open file, which is read while it is sent. Making one blocks."""

    def __init__(self, fd: int, what: str, executor: Executor, meter: Meter, throttle: Throttle) -> None:
        status = os.fstat(fd)
        super().__init__(status.st_size, meter, throttle)
        self._fd = fd
        self._what = what
        self._executor = executor
        self._mtime = status.st_mtime_ns

    def part(self, offset: int, size: int) -> bytes:
        """See `FileContent`; a file that has become shorter is no longer the one that was to be sent."""
        return read_part(self._fd, self._what, offset, size)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, the next piece read while one is sent."""
        if self.size <= PIECE:
            if self.size:
                piece = await run(self._executor, self.part, 0, self.size)
                await self.sent(self.size)
                yield piece
            return
        ahead = asyncio.create_task(run(self._executor, self.part, 0, PIECE))
        try:
            for offset in range(PIECE, self.size + PIECE, PIECE):
                piece = await ahead
                if offset < self.size:
                    ahead = asyncio.create_task(run(self._executor, self.part, offset, min(PIECE, self.size - offset)))
                await self.sent(len(piece))
                yield piece
        finally:
            if not ahead.done():
                ahead.cancel()
                await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()

    async def checksum(self, algorithm: str) -> str:
        """See `FileContent`."""
        if algorithm not in self._sums:
            self._sums[algorithm] = await run(self._executor, self._computed, algorithm)
        return self._sums[algorithm]

    def unchanged(self) -> None:
        """See `FileContent`."""
        status = os.fstat(self._fd)
        if (status.st_size, status.st_mtime_ns) != (self.size, self._mtime):
            raise _written_to(self._what)

    def close(self) -> None:
        """See `FileContent`."""
        os.close(self._fd)


def read_part(fd: int, what: str, offset: int, size: int) -> bytes:
    """A part of an open file, whole. Blocks. Raises TransferFailed where the file ends before."""
    data = os.pread(fd, size, offset) if size else b""
    while len(data) < size:
        more = os.pread(fd, size - len(data), offset + len(data))
        if not more:
            raise TransferFailed(f"{what} has become shorter while it was sent", Fault.REFUSED)
        data += more
    return data


def open_content(directory: str, path: str, executor: Executor, meter: Meter, throttle: Throttle) -> FileContent | None:
    """Open a plain file of a session directory; None for a directory. Blocks. Raises TransferFailed, InvalidInput."""
    try:
        with parent_of(directory, path) as (parent, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
    except (NotFound, FileNotFoundError, NotADirectoryError):
        raise TransferFailed(f"the job has left no {path!r} in its session directory", Fault.MISSING) from None
    except OSError as error:
        raise TransferFailed(f"{path!r} cannot be read: {error.strerror}", Fault.REFUSED) from error
    kept = False
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise TransferFailed(f"{path!r} is no plain file", Fault.REFUSED)
        if status.st_size > _SMALL:
            kept = True
            return OpenContent(fd, path, executor, meter, throttle)
        data = read_part(fd, path, 0, status.st_size)
        after = os.fstat(fd)
        if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            raise _written_to(path)
        return HeldContent(data, meter, throttle)
    finally:
        if not kept:
            os.close(fd)


def _written_to(what: str) -> TransferFailed:
    return TransferFailed(f"{what} was written to while it was sent", Fault.TRANSIENT)
