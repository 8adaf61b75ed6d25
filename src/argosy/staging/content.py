"""A file of the session directory while it is sent."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from argosy.model import NotFound

from .beneath import parent_of
from .checksums import Checksums
from .errors import Fault, TransferFailed
from .pace import Meter, Throttle
from .threads import run

PIECE = 1024 * 1024
#: What is no larger is read when it is opened: a turn of a thread costs more than reading it.
_SMALL = 64 * 1024


class FileContent:
    """An open file. Its size is that at the time it was opened: what is added later is not sent. Making one blocks."""

    def __init__(self, fd: int, what: str, executor: Executor, meter: Meter, throttle: Throttle) -> None:
        self._fd = fd
        self._what = what
        self._executor = executor
        self.meter = meter
        self._throttle = throttle
        self._at = 0
        self._sums: dict[str, str] = {}
        status = os.fstat(fd)
        self.size = status.st_size
        self._mtime = status.st_mtime_ns
        self._whole: bytes | None = None
        if self.size <= _SMALL:
            self._whole = self.part(0, self.size)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, the next piece read while one is sent."""
        if self._whole is not None:
            if self._whole:
                yield await self._paced(self._whole)
            return
        if self.size <= PIECE:
            yield await self._paced(await run(self._executor, self.part, 0, self.size))
            return
        ahead = asyncio.create_task(run(self._executor, self.part, 0, PIECE))
        try:
            for offset in range(PIECE, self.size + PIECE, PIECE):
                piece = await ahead
                if offset < self.size:
                    ahead = asyncio.create_task(run(self._executor, self.part, offset, min(PIECE, self.size - offset)))
                yield await self._paced(piece)
        finally:
            if not ahead.done():
                ahead.cancel()
                await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()

    async def _paced(self, piece: bytes) -> bytes:
        due = self._throttle.due(len(piece))
        if due > 0:
            await asyncio.sleep(due)
        self.meter.moved += len(piece)
        return piece

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

    def part(self, offset: int, size: int) -> bytes:
        """A part of it, whole; a file that has become shorter is no longer the one that was to be sent."""
        if self._whole is not None:
            return self._whole[offset : offset + size]
        data = os.pread(self._fd, size, offset) if size else b""
        while len(data) < size:
            more = os.pread(self._fd, size - len(data), offset + len(data))
            if not more:
                raise TransferFailed(f"{self._what} has become shorter while it was sent", Fault.REFUSED)
            data += more
        return data

    async def sent(self, size: int) -> None:
        """See `Content`."""
        due = self._throttle.due(size)
        if due > 0:
            await asyncio.sleep(due)
        self.meter.moved += size

    async def checksum(self, algorithm: str) -> str:
        """Of the whole, in hexadecimal; computed once."""
        if algorithm not in self._sums and self._whole is not None:
            self._sums[algorithm] = self._computed(algorithm)
        if algorithm not in self._sums:
            self._sums[algorithm] = await run(self._executor, self._computed, algorithm)
        return self._sums[algorithm]

    def _computed(self, algorithm: str) -> str:
        sums = Checksums([algorithm])
        for offset in range(0, self.size, PIECE):
            sums.update(self.part(offset, min(PIECE, self.size - offset)))
        return sums.hexadecimal()[algorithm]

    def unchanged(self) -> None:
        """Raise TransferFailed where the file was written to while it was sent: what is there now may be a mixture."""
        status = os.fstat(self._fd)
        if (status.st_size, status.st_mtime_ns) != (self.size, self._mtime):
            raise TransferFailed(f"{self._what} was written to while it was sent", Fault.TRANSIENT)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def open_content(directory: str, path: str, executor: Executor, meter: Meter, throttle: Throttle) -> FileContent:
    """Open a plain file of a session directory. Blocks. Raises TransferFailed, InvalidInput."""
    try:
        with parent_of(directory, path) as (parent, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
    except (NotFound, FileNotFoundError, NotADirectoryError):
        raise TransferFailed(f"the job has left no {path!r} in its session directory", Fault.MISSING) from None
    except OSError as error:
        raise TransferFailed(f"{path!r} cannot be read: {error.strerror}", Fault.REFUSED) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise TransferFailed(f"{path!r} is no plain file", Fault.REFUSED)
    try:
        return FileContent(fd, path, executor, meter, throttle)
    except BaseException:
        os.close(fd)
        raise
