"""Files on their way: downloads that go on after a cut, and what can be uploaded."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import posixpath
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import BinaryIO

import httpx

from argosy.model import InvalidInput, Unavailable

#: How much is read at a time, in bytes.
CHUNK = 1024 * 1024

#: What can be uploaded: a path, the bytes themselves, or an open file.
Source = str | os.PathLike[str] | bytes | BinaryIO

#: What is called with the number of bytes that have been moved so far.
Moved = Callable[[int], None]


class Download:
    """A file being fetched: written beside its target, and put in its place when all of it is there.

    Links are followed. What is there and is no regular file, as a device or a pipe, stays and is written into; of that
    nothing can be taken back.
    """

    def __init__(self, path: str, to: str | os.PathLike[str]) -> None:
        target = os.fspath(to)
        if os.path.isdir(target):
            target = os.path.join(target, posixpath.basename(path))
        self.target = target
        self.done = False
        self._offset = 0
        self._total: int | None = None
        self._etag = ""
        self._executable = False
        self._temporary: str | None = None
        _refuse_foreign_link(target)
        self._place = os.path.realpath(target)
        for directory in (os.path.dirname(target), os.path.dirname(self._place)):
            if not os.path.isdir(directory or "."):
                raise FileNotFoundError(errno.ENOENT, "there is no such directory", directory)
        if os.path.exists(target) and not os.path.isfile(target):
            self._file: BinaryIO = open(target, "wb")  # noqa: SIM115 - `close` does
            return
        directory, name = os.path.split(self._place)
        descriptor, self._temporary = tempfile.mkstemp(dir=directory, prefix=f".{name[:100]}.", suffix=".part")
        self._file = os.fdopen(descriptor, "wb")

    @property
    def progress(self) -> int:
        """How much there is by now, in bytes."""
        return self._offset

    def headers(self) -> dict[str, str]:
        """What to ask for now: the rest, if the file is still the same."""
        if not self._offset:
            return {}
        return {"Range": f"bytes={self._offset}-", "If-Range": self._etag}

    def begin(self, response: httpx.Response) -> None:
        """Look at the answer. Raises InvalidInput for a directory, Unavailable where what was written cannot be."""
        check_file(response)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            if self._offset and self._temporary is None:
                raise Unavailable(f"{self.target} has a part of a file that has changed meanwhile")
            if self._offset:
                self._file.seek(0)
                self._file.truncate()
            self._offset = 0
        self._total = self._offset + int(response.headers["Content-Length"])
        self._etag = response.headers.get("ETag", "")
        self._executable = "X-Executable" in response.headers

    def write(self, chunk: bytes) -> None:
        """Add what has come."""
        self._file.write(chunk)
        self._offset += len(chunk)

    def finish(self) -> None:
        """Put it in its place."""
        if self._offset != self._total:
            raise Unavailable(f"{self.target} came with {self._offset} bytes instead of {self._total}; try again")
        if self._temporary is not None:
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(self._file.fileno(), (0o777 if self._executable else 0o666) & ~mask)
        self._file.close()
        if self._temporary is not None:
            os.replace(self._temporary, self._place)
        self.done = True

    def close(self) -> None:
        """Let go; a file that is not complete is removed."""
        if self.done:
            return
        with contextlib.suppress(OSError):  # of what is removed, or could not be written, nothing need be kept
            self._file.close()
        if self._temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)


def _refuse_foreign_link(path: str) -> None:
    """Raise PermissionError for what somebody else may have laid out as a trap: the system's own rule (proc_sys_fs(5),
    protected_symlinks), which does not see where the link's target is replaced."""
    if not os.path.islink(path):
        return
    directory = os.stat(os.path.dirname(path) or ".")
    everybody_s = stat.S_ISVTX | stat.S_IWOTH
    owner = os.lstat(path).st_uid
    if directory.st_mode & everybody_s == everybody_s and owner not in (os.geteuid(), directory.st_uid):
        raise PermissionError(
            errno.EACCES, "the link is somebody else's, in a directory that everybody may write to", path
        )


def check_file(response: httpx.Response) -> None:
    """Raise InvalidInput where an answer is the listing of a directory, and no file's content."""
    if response.headers.get("Content-Type", "").partition(";")[0] != "application/octet-stream":
        raise InvalidInput(f"{response.request.url.path} is a directory; name a file in it", element="path")


def file_content(response: httpx.Response) -> bytes:
    """The content of a file, from an answer that has been read."""
    check_file(response)
    return response.content


class Upload:
    """Something to upload, piece by piece. Plain files, bytes, and open files that can be rewound can be sent again."""

    def __init__(self, source: Source, executable: bool | None, progress: Moved | None = None) -> None:
        self.executable = bool(executable)
        self._source = source
        self._progress = progress
        self._file: BinaryIO | None = None
        self._start = 0
        self._length: int | None = None
        self._sent = 0
        self._touched = False
        if isinstance(source, (str, os.PathLike)):
            mode = os.stat(source).st_mode
            self.repeatable = stat.S_ISREG(mode)
            if executable is None:
                self.executable = self.repeatable and bool(mode & 0o111)
        else:
            self._file = io.BytesIO(source) if isinstance(source, bytes) else source
            self.repeatable = self._file.seekable()
            self._start = self._file.tell() if self.repeatable else 0

    @property
    def spent(self) -> bool:
        """Whether what was read of it cannot be read again."""
        return self._touched and not self.repeatable

    def begin(self) -> None:
        """Open it, or go back to where it began. Raises OSError."""
        self._sent = 0
        if isinstance(self._source, (str, os.PathLike)) and (self._file is None or self.repeatable):
            self.close()
            self._file = open(self._source, "rb", buffering=0)  # noqa: SIM115 - `close` does
        assert self._file is not None
        if self.repeatable:
            self._length = max(0, self._file.seek(0, os.SEEK_END) - self._start)
            self._file.seek(self._start)

    def read(self) -> bytes:
        """The next piece, nothing at its end. Of a file that grows meanwhile, what it had at the beginning."""
        assert self._file is not None
        self._touched = True
        piece = self._file.read(CHUNK if self._length is None else min(CHUNK, self._length - self._sent))
        self._sent += len(piece)
        if piece and self._progress is not None:
            self._progress(self._sent)
        return piece

    def pieces(self) -> Iterator[bytes]:
        """All of it."""
        while piece := self.read():
            yield piece

    async def awaited(self) -> AsyncIterator[bytes]:
        """The same, for an event loop."""
        while piece := await asyncio.to_thread(self.read):
            yield piece

    def headers(self) -> dict[str, str]:
        """What to say about it."""
        headers = {"Content-Type": "application/octet-stream"}
        if self._length is not None:
            headers["Content-Length"] = str(self._length)
        return headers | {"X-Executable": "true"} if self.executable else headers

    def close(self) -> None:
        """Let go of it, where it was opened here."""
        if isinstance(self._source, (str, os.PathLike)) and self._file is not None:
            self._file.close()
