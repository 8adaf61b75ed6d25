"""Files that are read back from a target: to be compared, and to be added to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from argosy.model.description import PARTIAL
from argosy.outbound import Url

from .checksums import Checksums
from .content import PIECE, FileContent, OpenContent
from .errors import Fault, TransferFailed
from .pace import Meter, Throttle
from .scheme import Call, Content, Scheme
from .sink import as_disk_fault
from .threads import run

if TYPE_CHECKING:
    from .desk import Desk


class Reading:
    """A sink that only computes checksums, of at most `most` bytes."""

    def __init__(self, algorithms: tuple[str, ...], executor: Executor, most: int) -> None:
        self.offset = 0
        self.validator: str | None = None
        self._algorithms = algorithms
        self._executor = executor
        self._most = most
        self._sums = Checksums(algorithms)

    async def restart(self) -> None:
        """See `Sink`."""
        self.offset = 0
        self._sums = Checksums(self._algorithms)

    def expect(
        self, size: int | None = None, *, validator: str | None = None, checksums: Mapping[str, str] | None = None
    ) -> None:
        """See `Sink`."""
        del checksums
        self.validator = validator

    async def finished(self) -> None:
        """See `Sink`."""

    async def write(self, data: bytes) -> None:
        """See `Sink`."""
        await run(self._executor, self.write_blocking, data)

    def write_blocking(self, data: bytes | memoryview) -> None:
        """See `Sink`."""
        self.offset += len(data)
        if self.offset > self._most:
            raise TransferFailed("it is larger", Fault.CORRUPT)
        self._sums.update(data)

    def sums(self) -> dict[str, str]:
        """The checksums so far."""
        return self._sums.hexadecimal()


class _Spool(Reading):
    """Keeps what it is given in a file without a name."""

    def __init__(self, directory: str, executor: Executor, most: int, what: str) -> None:
        super().__init__((), executor, most)
        self.file = tempfile.TemporaryFile(dir=directory, prefix=PARTIAL)  # noqa: SIM115 - closed with the content
        self._what = what

    async def restart(self) -> None:
        await super().restart()
        self.file.seek(0)
        self.file.truncate()

    def write_blocking(self, data: bytes | memoryview) -> None:
        super().write_blocking(data)
        with as_disk_fault(self._what):
            self.file.write(data)


class Joined:
    """What a target has, and our file after it, as one content."""

    def __init__(self, before: FileContent, after: Content) -> None:
        self.size = before.size + after.size
        self._before = before
        self._after = after
        self._at = 0

    @classmethod
    async def read(
        cls, directory: str, scheme: Scheme, url: Url, size: int, after: Content, call: Call, desk: Desk
    ) -> Joined:
        """Read back what is at the target. Raises TransferFailed."""
        spool = await run(desk.disk, _Spool, directory, desk.disk, size, str(url))
        try:
            await scheme.fetch(url, spool, call)
            if spool.offset != size:
                raise TransferFailed(f"{url} changed while it was read", Fault.TRANSIENT)
            await run(desk.disk, spool.file.flush)
            fd = os.dup(spool.file.fileno())
        finally:
            spool.file.close()
        return cls(await run(desk.disk, OpenContent, fd, str(url), desk.disk, Meter(), Throttle(None)), after)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `Content`."""
        async for piece in self._before.chunks():
            yield piece
        async for piece in self._after.chunks():
            yield piece

    def rewind(self) -> None:
        """See `Content`."""
        self._at = 0
        self._after.rewind()

    def read_blocking(self, size: int) -> bytes:
        """See `Content`."""
        if self._at < self._before.size:
            data = self._before.part(self._at, min(size, self._before.size - self._at))
            self._at += len(data)
            return data
        return self._after.read_blocking(size)

    def part(self, offset: int, size: int) -> bytes:
        """See `Content`."""
        head = self._before.part(offset, min(size, self._before.size - offset)) if offset < self._before.size else b""
        if len(head) == size:
            return head
        return head + self._after.part(offset + len(head) - self._before.size, size - len(head))

    async def sent(self, size: int) -> None:
        """See `Content`."""
        await self._after.sent(size)

    async def checksum(self, algorithm: str) -> str:
        """See `Content`."""
        sums = Checksums([algorithm])
        for offset in range(0, self.size, PIECE):
            sums.update(self.part(offset, min(PIECE, self.size - offset)))
        return sums.hexadecimal()[algorithm]

    async def close(self) -> None:
        """Close what was read back; our own file stays open."""
        self._before.close()
