"""Inputs that are kept, so that the next activity that wants the same does not fetch it again.

    DIRECTORY/objects/AB/SHA256     a file, named by its content; nobody else ever has it open for writing
    DIRECTORY/index/AB/KEY          what a URL stood for, to whom: object, size, validator

The key is a hash of the URL and of whose it is: what was fetched without credentials is everybody's, the rest its
owner's alone. Before something is taken from here its source is asked whether it is still the same. Activities get a
copy (sharing blocks where the file system can), never the object itself: a job may do with its input what it likes.
What was not used for longest goes first. The cache is no place of record: it may be removed at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from argosy.outbound import Url

from .contract import Credentials
from .sink import FileSink, copy
from .threads import run

log = logging.getLogger(__name__)

PIECE = 1024 * 1024
#: A copy of what is larger costs a whole second writing: it is made when it is asked for again.
EAGER = 256 * 1024 * 1024
#: Names of large files that were asked for once.
_MOST_SEEN = 10_000


class _Entry(Struct):
    sha256: str
    size: int
    validator: str


@dataclass
class Kept:
    """A file of the cache, open."""

    sha256: str
    size: int
    validator: str
    descriptor: int

    async def chunks(self, executor: Executor) -> AsyncIterator[bytes]:
        """Its bytes."""
        offset = 0
        while piece := await run(executor, os.pread, self.descriptor, PIECE, offset):
            yield piece
            offset += len(piece)

    def close(self) -> None:
        """Close it; it stays in the cache."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Slot:
    """One URL's place in the cache while it is one's turn."""

    def __init__(self, cache: Cache, key: str, waiting: Callable[[], bool], kept: Kept | None) -> None:
        self.kept = kept
        self._cache = cache
        self._key = key
        self._waiting = waiting

    def wants(self, sink: FileSink) -> bool:
        """Whether a file that has arrived is of a kind that is kept."""
        return self._cache.wants(sink)

    def keep(self, sink: FileSink, sums: dict[str, str]) -> None:
        """Take a copy of a file that has arrived and is nobody else's yet. Blocks. What fails here is only logged."""
        self._cache.keep(self._key, sink, sums["sha256"], self._waiting())


class Cache:
    """Below one directory, with at most so many bytes. `smallest` is the size from which on something is kept."""

    def __init__(self, directory: str, size: int, smallest: int = 0) -> None:
        self._directory = directory
        self._size = size
        self._smallest = smallest
        self._turns: dict[str, tuple[asyncio.Lock, list[int]]] = {}
        self._seen: dict[str, None] = {}
        self._lock = threading.Lock()
        self._used: int | None = None

    @contextlib.asynccontextmanager
    async def turn(self, url: Url, owner: str, credentials: Credentials | None) -> AsyncIterator[Slot]:
        """The place of a URL, for one at a time: who comes second finds what the first has fetched."""
        whose = "" if credentials is None or credentials == Credentials() else owner or "-"
        key = hashlib.sha256(f"{whose}\0{url.text.partition('#')[0]}".encode()).hexdigest()
        lock, users = self._turns.setdefault(key, (asyncio.Lock(), [0]))
        users[0] += 1
        try:
            async with lock:
                slot = Slot(self, key, lambda: users[0] > 1, self._open(key))
                try:
                    yield slot
                finally:
                    if slot.kept is not None:
                        slot.kept.close()
        finally:
            users[0] -= 1
            if not users[0]:
                del self._turns[key]

    def _index(self, key: str) -> str:
        return os.path.join(self._directory, "index", key[:2], key)

    def _object(self, sha256: str) -> str:
        return os.path.join(self._directory, "objects", sha256[:2], sha256)

    def _open(self, key: str) -> Kept | None:
        try:
            with open(self._index(key), "rb") as file:
                entry = msgspec.json.decode(file.read(), type=_Entry)
            fd = os.open(self._object(entry.sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        except OSError as error:
            log.warning("the cache of inputs cannot be read: %s", error)
            return None
        if os.fstat(fd).st_size != entry.size:
            os.close(fd)
            return None
        # When it was used last.
        with contextlib.suppress(OSError):
            os.utime(fd)
        return Kept(entry.sha256, entry.size, entry.validator, fd)

    def wants(self, sink: FileSink) -> bool:
        """See `Slot.wants`."""
        return bool(sink.validator) and self._smallest <= sink.offset <= self._size // 2

    def keep(self, key: str, sink: FileSink, sha256: str, wanted: bool) -> None:
        """See `Slot.keep`. `wanted`: somebody waits for the same."""
        size, validator = sink.offset, sink.validator
        if not validator or not self.wants(sink):
            return
        if size > EAGER and not wanted and not self._was_seen(key):
            return
        path = self._object(sha256)
        partial = f"{path}.{os.urandom(4).hex()}"
        try:
            with self._lock:
                if not os.path.exists(path):
                    self._make_room(size)
                    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
                    try:
                        copy(sink.descriptor, fd, size)
                        os.fsync(fd)
                    finally:
                        os.close(fd)
                    os.rename(partial, path)
                    self._used = (self._used or 0) + size
                index = self._index(key)
                os.makedirs(os.path.dirname(index), mode=0o700, exist_ok=True)
                with open(f"{index}.new", "wb") as file:
                    file.write(msgspec.json.encode(_Entry(sha256, size, validator)))
                os.rename(f"{index}.new", index)
        except OSError as error:
            log.warning("an input of %d bytes cannot be kept for other activities: %s", size, error)
            with contextlib.suppress(OSError):
                os.unlink(partial)

    def _was_seen(self, key: str) -> bool:
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > _MOST_SEEN:
            self._seen.pop(next(iter(self._seen)))
        return False

    def _make_room(self, size: int) -> None:
        if self._used is None:
            self._used = sum(status.st_size for _, status in self._objects())
        if self._used + size <= self._size:
            return
        # Some more than is needed, so that not every file that comes looks through all.
        goal = max(min(self._size - size, int(self._size * 0.9)), 0)
        objects = sorted(self._objects(), key=lambda one: one[1].st_mtime_ns)
        used = sum(status.st_size for _, status in objects)
        for path, status in objects:
            if used <= goal:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            used -= status.st_size
        self._used = used
        self._forget_missing()

    def _objects(self) -> Iterator[tuple[str, os.stat_result]]:
        for directory, _, names in os.walk(os.path.join(self._directory, "objects")):
            for name in names:
                path = os.path.join(directory, name)
                with contextlib.suppress(FileNotFoundError):
                    yield path, os.stat(path)

    def _forget_missing(self) -> None:
        for directory, _, names in os.walk(os.path.join(self._directory, "index")):
            for name in names:
                path = os.path.join(directory, name)
                with contextlib.suppress(OSError, msgspec.MsgspecError):
                    with open(path, "rb") as file:
                        entry = msgspec.json.decode(file.read(), type=_Entry)
                    if not os.path.exists(self._object(entry.sha256)):
                        os.unlink(path)

    def clear(self) -> None:
        """Remove everything. Blocks."""
        with self._lock:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._used = None

    def statistics(self) -> tuple[int, int]:
        """How many files and bytes there are. Blocks."""
        found = [status.st_size for _, status in self._objects()]
        return len(found), sum(found)

    def tidy(self) -> None:
        """At the start: remove what was being written when the service ended. Blocks."""
        for path, status in self._objects():
            if "." in os.path.basename(path) and time.time() - status.st_mtime > 60:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
