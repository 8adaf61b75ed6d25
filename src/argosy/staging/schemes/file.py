"""file: (RFC 8089): files of this machine, beneath the directories that the administrator has opened.

    [staging]
    file_roots = ["/data/public"]

They are read and written as the account of the service, for everybody who may use it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import AsyncIterator, Iterator
from typing import Any

from argosy.model import InvalidInput, NotAllowed, NotFound
from argosy.model.description import PARTIAL, CreationFlag
from argosy.outbound import Url
from argosy.staging.beneath import name_new, parent_of
from argosy.staging.contract import Direction
from argosy.staging.errors import Fault, TransferFailed
from argosy.staging.scheme import Call, Content, Context, Entry, Scheme, Sink, Stat
from argosy.staging.sink import write_all
from argosy.staging.threads import run

_PIECE = 1024 * 1024


class File(Scheme):
    """Files of this machine."""

    can_list = True
    outbound = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        roots: Any = context.options.get("roots", [])
        for index, root in enumerate(roots):
            if not os.path.isabs(root):
                raise InvalidInput(f"{root!r} must be an absolute path", element=f"staging.file_roots[{index}]")
        self._roots = [os.path.normpath(root) for root in roots]

    def missing(self) -> str | None:
        """See `Scheme`."""
        return None if self._roots else "its administrator has opened no directory (staging.file_roots)"

    def check(self, url: Url, direction: Direction) -> None:
        """See `Scheme`."""
        self._beneath(url)

    def _beneath(self, url: Url) -> tuple[str, str]:
        """A root, and the path beneath it."""
        if url.host not in ("", "localhost"):
            raise InvalidInput(f"{url} is on another machine; file: names files of the service's own (file:///...)")
        path = url.file
        if not path.startswith("/") or "\0" in path:
            raise InvalidInput(f"{url} is no absolute path; it is written file:///directory/name")
        normal = os.path.normpath("/" + path.lstrip("/"))
        for root in self._roots:
            if normal == root or normal.startswith(root.rstrip("/") + "/"):
                return root, normal[len(root.rstrip("/")) + 1 :] or "."
        raise NotAllowed(
            f"{url} is not in a directory that this service's administrator has opened (staging.file_roots)"
        )

    @contextlib.contextmanager
    def _parent(self, url: Url, *, make: bool = False) -> Iterator[tuple[int, str]]:
        root, path = self._beneath(url)
        try:
            with parent_of(root, path, make=make) as found:
                yield found
        except (NotFound, FileNotFoundError, NotADirectoryError):
            raise TransferFailed(f"there is no {url}", Fault.MISSING) from None
        except InvalidInput as error:
            raise TransferFailed(f"{url}: {error.message}", Fault.REFUSED) from error
        except OSError as error:
            raise _failed(url, error) from error

    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """See `Scheme`."""
        del call
        if sink.offset:
            await sink.restart()
        fd = await run(None, self._open, url)
        try:
            status = os.fstat(fd)
            sink.expect(status.st_size)
            while piece := await run(None, os.read, fd, _PIECE):
                await sink.write(piece)
        except OSError as error:
            raise _failed(url, error) from error
        finally:
            os.close(fd)

    def _open(self, url: Url) -> int:
        with self._parent(url) as (parent, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise TransferFailed(f"{url} is no plain file", Fault.REFUSED)
        return fd

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """See `Scheme`."""
        del call
        with self._parent(url, make=True) as (parent, name):
            partial = f"{PARTIAL}{os.urandom(8).hex()}"
            fd = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=parent
            )
            try:
                try:
                    async for piece in content.chunks():
                        await run(None, write_all, fd, [piece])
                    await run(None, os.fsync, fd)
                finally:
                    os.close(fd)
                if creation == "refuse":
                    try:
                        name_new(partial, name, parent)
                    except FileExistsError:
                        raise TransferFailed(
                            f"there is something at {url} already, and it must not be replaced", Fault.EXISTS
                        ) from None
                else:
                    os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
                await run(None, os.fsync, parent)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=parent)
        return True

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """See `Scheme`."""
        del call
        try:
            with self._parent(url) as (parent, name):
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except TransferFailed as failure:
            if failure.fault is Fault.MISSING:
                return None
            raise
        return Stat(status.st_size, f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}")

    async def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """See `Scheme`. Links and what is no file are left out."""
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            for entry in await run(None, self._listed, url, inner):
                if entry.directory:
                    waiting.append(entry.path)
                yield entry

    def _listed(self, url: Url, inner: str) -> list[Entry]:
        root, path = self._beneath(url)
        found = []
        try:
            with parent_of(root, f"{path}/{inner}/." if inner else path) as (parent, name):
                fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                with os.scandir(fd) as listed:
                    for one in listed:
                        if one.name.startswith(PARTIAL):
                            continue
                        status = os.stat(one.name, dir_fd=fd, follow_symlinks=False)
                        where = f"{inner}/{one.name}" if inner else one.name
                        if stat.S_ISDIR(status.st_mode):
                            found.append(Entry(where, directory=True))
                        elif stat.S_ISREG(status.st_mode):
                            found.append(Entry(where, status.st_size))
            finally:
                os.close(fd)
        except (NotFound, FileNotFoundError):
            raise TransferFailed(f"there is no directory {url}", Fault.MISSING) from None
        except OSError as error:
            raise _failed(url, error) from error
        return found


def _failed(url: Url, error: OSError) -> TransferFailed:
    words = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TransferFailed(f"{url}: {words}", Fault.FULL)
    if error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT):
        return TransferFailed(f"{url}: {words}", Fault.TRANSIENT)
    return TransferFailed(f"{url}: {words}", Fault.REFUSED)
