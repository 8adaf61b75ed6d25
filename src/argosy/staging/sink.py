"""The file on this side while it arrives: under another name, counted and summed up; in the end whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, wait

from argosy.model.description import PARTIAL

from . import writeback
from .checksums import ALGORITHMS, Checksums
from .errors import Fault, TransferFailed
from .pace import Meter, Throttle
from .threads import run

#: What arrives is written in pieces of at least this many bytes.
PIECE = 1024 * 1024
_MOST_PARTS = 512
#: After so many bytes what is written is sent to the disk.
_SYNC_EVERY = 32 * PIECE


class FileSink:
    """A file without its name yet, in the directory that `parent` is a descriptor of.

    `size` and `checksums` are what must arrive, `also` what is computed beside. Pieces are written by a thread while
    the next ones arrive.
    """

    def __init__(
        self,
        parent: int,
        what: str,
        executor: Executor,
        *,
        size: int | None = None,
        checksums: Mapping[str, str] | None = None,
        also: tuple[str, ...] = (),
        most: int | None = None,
        executable: bool = False,
        meter: Meter | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self.name = f"{PARTIAL}{os.urandom(8).hex()}"
        self.meter = meter or Meter()
        #: Whether it has another name than its own now.
        self.placed = False
        self.validator: str | None = None
        self._parent = parent
        self.what = what
        self._executor = executor
        self._size = size
        self._declared = dict(checksums or {})
        self._also = also
        self._most = most
        self.mode = 0o700 if executable else 0o600
        self._throttle = throttle or Throttle(None)
        self._expected: int | None = None
        self._stated: dict[str, str] = {}
        self._sums = Checksums({*self._declared, *also})
        self._summed = {*self._declared, *also}
        self._count = 0
        self._fd = -1
        self._parts: list[bytes] = []
        self._waiting = 0
        self._writing: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._unsynced = 0
        self._syncing: Future[None] | None = None

    @property
    def offset(self) -> int:
        """How many bytes it has."""
        return self._count

    @property
    def total(self) -> int | None:
        """How many there will be, as far as that is known."""
        return self._size if self._size is not None else self._expected

    def expect(
        self, size: int | None = None, *, validator: str | None = None, checksums: Mapping[str, str] | None = None
    ) -> None:
        """See `Sink`. Of what the source states, the strongest checksum is compared."""
        self.validator = validator
        self._expected = size
        if self.meter.total is None:
            self.meter.total = size
        if size is not None:
            if self._size is not None and size != self._size:
                raise TransferFailed(f"{self.what} has {size} bytes; {self._size} were declared", Fault.CORRUPT)
            self._check_most(size)
        if checksums is None:
            return
        self._stated = {name: value for name, value in checksums.items() if name in self._summed}
        if not self._stated and checksums and self._count == 0:
            strongest = next((name for name in ALGORITHMS if name in checksums), None)
            if strongest is not None:
                self._summed.add(strongest)
                self._sums = Checksums(self._summed)
                self._stated = {strongest: checksums[strongest]}

    async def restart(self) -> None:
        """See `Sink`."""
        await self._written()
        self._forget()
        if self._fd >= 0:
            await run(self._executor, self._truncate)

    def _forget(self) -> None:
        self.meter.lost += self._count
        self._parts, self._waiting, self._count = [], 0, 0
        self.validator, self._expected, self._stated = None, None, {}
        self._summed = {*self._declared, *self._also}
        self._sums = Checksums(self._summed)

    def _truncate(self) -> None:
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)

    async def write(self, data: bytes) -> None:
        """See `Sink`."""
        self._take(data)
        due = self._throttle.due(len(data))
        if due > 0:
            await asyncio.sleep(due)
        if self._waiting >= PIECE or len(self._parts) >= _MOST_PARTS:
            await self._written()
            parts, self._parts, self._waiting = self._parts, [], 0
            self._writing = asyncio.create_task(run(self._executor, self._put, parts))

    def write_blocking(self, data: bytes | memoryview) -> None:
        """See `Sink`."""
        self._count_in(len(data))
        due = self._throttle.due(len(data))
        if due > 0:
            threading.Event().wait(due)
        if isinstance(data, memoryview):
            # Its owner is going to use the memory again.
            parts, self._parts, self._waiting = self._parts, [], 0
            self._put([*parts, data])
            return
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting >= PIECE or len(self._parts) >= _MOST_PARTS:
            parts, self._parts, self._waiting = self._parts, [], 0
            self._put(parts)

    def _take(self, data: bytes) -> None:
        self._count_in(len(data))
        self._parts.append(data)
        self._waiting += len(data)

    def _count_in(self, size: int) -> None:
        count = self._count + size
        if self._size is not None and count > self._size:
            raise TransferFailed(f"{self.what} is longer than the {self._size} bytes declared", Fault.CORRUPT)
        self._check_most(count)
        self._count = count
        self.meter.moved += size

    def _check_most(self, size: int) -> None:
        if self._most is not None and size > self._most:
            raise TransferFailed(f"{self.what} is larger than the {self._most} bytes allowed here", Fault.REFUSED)

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    def _put(self, parts: Sequence[bytes | memoryview]) -> None:
        with self._lock, as_disk_fault(self.what):
            if self._fd < 0:
                self._open()
            for part in parts:
                self._sums.update(part)
            write_all(self._fd, parts)
            self._unsynced += sum(map(len, parts))
        if self._unsynced >= _SYNC_EVERY and (self._syncing is None or self._syncing.done()):
            # The disk works while the network does: little is left to wait for in the end.
            self._unsynced = 0
            self._syncing = self._executor.submit(os.fdatasync, self._fd)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.name, flags, self.mode, dir_fd=self._parent)
        if self._expected and self._expected > PIECE:
            place = os.fstatvfs(self._fd)
            if self._expected > place.f_bavail * place.f_frsize:
                # Said at once, and not after hours.
                raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} for its {self._expected} bytes")

    def adopt(self, source: int, size: int) -> None:
        """Become a copy of an open file of this machine, as cheaply as the file system can. Blocks."""
        with self._lock, as_disk_fault(self.what):
            self._open()
            copy(source, self._fd, size)
            self._count = size
            self.meter.moved += size
            self._sums, self._summed = Checksums(()), set()

    async def settle(self) -> None:
        """After a failed attempt: all that was taken is written, for the next one to go on from."""
        await self._written()
        if self._parts:
            parts, self._parts, self._waiting = self._parts, [], 0
            await run(self._executor, self._put, parts)

    def check(self) -> dict[str, str]:
        """Check that all of it is there and as it must be. Blocks; after `write` is over.

        Answers the checksums. Raises TransferFailed; the file stays under its other name.
        """
        parts, self._parts, self._waiting = self._parts, [], 0
        self._put(parts)
        return self._judged(self._sums)

    @property
    def is_held(self) -> bool:
        """Whether all of it is in memory still, and nothing of it on the disk."""
        return self._fd < 0

    def held(self) -> tuple[bytes, dict[str, str]]:
        """The same as `check` for one that is in memory, which stays there: all its bytes, and the checksums."""
        data = b"".join(self._parts)
        sums = Checksums(self._summed)
        sums.update(data)
        return data, self._judged(sums)

    def _judged(self, sums: Checksums) -> dict[str, str]:
        expected = self.total
        if expected is not None and self._count != expected:
            word = "declared" if self._size is not None else "announced"
            raise TransferFailed(f"{self.what} ended after {self._count} of the {expected} bytes {word}", Fault.CORRUPT)
        found = sums.hexadecimal()
        for name, value in self._declared.items():
            # An adopted file was judged by whoever had it.
            if name in found and found[name] != value:
                raise TransferFailed(f"{self.what} has the {name} {found[name]}; {value} was declared", Fault.CORRUPT)
        for name, value in self._stated.items():
            if found[name] != value:
                raise TransferFailed(
                    f"{self.what} arrived with the {name} {found[name]}; its source states {value}", Fault.CORRUPT
                )
        return found

    def begin_sync(self) -> None:
        """Have the disk begin with what is not there yet, without waiting for it."""
        writeback.begin(self._fd)

    def sync(self) -> None:
        """Have it on the disk. Blocks. Raises TransferFailed."""
        with as_disk_fault(self.what):
            os.fsync(self._fd)

    async def finished(self) -> None:
        """Wait for what is still being written."""
        await self._written()

    @property
    def descriptor(self) -> int:
        """Of the file, once something of it is written; for reading what has arrived."""
        return self._fd

    async def close(self) -> None:
        """Give up what has not got its name. To be called in the end, whatever happened."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await asyncio.wait([writing])
            writing.exception()
        if self._fd >= 0:
            await run(self._executor, self.close_blocking)

    def close_blocking(self) -> None:
        """The same, for whoever is in a thread already and has waited for what was written."""
        if self._fd >= 0:
            if self._syncing is not None:
                wait([self._syncing])  # what it says is said again by the last one
            os.close(self._fd)
            self._fd = -1
            if self.placed:
                return
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self._parent)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class as_disk_fault(contextlib.AbstractContextManager[None]):  # noqa: N801 - used as a function
    """A fault of the disk in words."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        words = error.strerror or str(error)
        if error.errno in _FULL:
            raise TransferFailed(
                f"{self._what} cannot be written to the session directory: {words}", Fault.FULL
            ) from error
        raise TransferFailed(
            f"{self._what} cannot be written to the session directory: {words}", Fault.TRANSIENT
        ) from error


#: ioctl_ficlone(2): the copy shares the blocks until one of them is written to.
_FICLONE = 0x40049409


def copy(source: int, target: int, size: int) -> None:
    """Copy the first bytes of a file to where another one is at: shared blocks where the file system has them."""
    if os.lseek(target, 0, os.SEEK_CUR) == 0:
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno in _FULL:
                raise
        else:
            os.lseek(target, 0, os.SEEK_END)
            return
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, target, min(size - done, 2**30), offset_src=done)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            # Between two file systems of which one cannot.
            data = os.pread(source, min(size - done, PIECE), done)
            write_all(target, [data])
            count = len(data)
        if not count:
            raise OSError(errno.EIO, "the file has become shorter while it was copied")
        done += count


def write_all(fd: int, parts: Sequence[bytes | memoryview]) -> None:
    """Write these one after the other."""
    # IOV_MAX is 1024; more parts than that are never kept.
    views = [memoryview(part) for part in parts if part]
    while views:
        written = os.writev(fd, views)
        while views and written >= len(views[0]):
            written -= len(views[0])
            views.pop(0)
        if written:
            views[0] = views[0][written:]
