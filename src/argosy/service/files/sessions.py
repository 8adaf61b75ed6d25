"""Session directories: one for each activity, from its creation to its purge (GES 3.5)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import ParamSpec

from argosy.model import Conflict, InputFile, InvalidInput, NoRoom, NotFound, PreconditionFailed, Unavailable
from argosy.model.description import PARTIAL
from argosy.service.contract import FileInfo, OpenFile
from argosy.staging import Fault, TransferFailed
from argosy.staging.beneath import name_new, parent_of
from argosy.staging.checksums import Checksums
from argosy.staging.finding import find, is_pattern
from argosy.staging.sink import write_all

from . import copies
from .conditions import ALWAYS, Conditions
from .declared import checksums_of, compare
from .listing import Listings
from .removing import remove_tree
from .weighing import size_below, weights_below

_P = ParamSpec("_P")

#: What is beside an account's session directories is beside that of any activity.
_ANY_ID = "0" * 26


class Sessions:
    """The session directories below one root. They belong to this user alone (mode 0700)."""

    def __init__(self, root: str, fault: Callable[[str], None]) -> None:
        self.root = root
        self._fault = fault
        self._listings = Listings(hidden=PARTIAL)
        #: Held from the look at what is there until that is changed.
        self._changing = threading.Lock()

    def start(self) -> None:
        """Make the root. To be called in the event loop, before anything else."""
        os.makedirs(self.root, mode=0o700, exist_ok=True)

    def path(self, id: str, account: str | None = None) -> str:
        """Where the session directory of an activity is. Spread over 256 directories by the id's end."""
        del account
        return f"{self.root}/{id[-2:]}/{id}"

    def make(self, sessions: Sequence[str]) -> None:
        """Make session directories, `Activity.session` of each; those that exist stay as they are."""
        for path in sessions:
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            except FileNotFoundError:
                os.makedirs(path, mode=0o700, exist_ok=True)

    def weigh(self, session: str) -> int:
        """The sizes of all files in a session directory together, in bytes."""
        return size_below(session)

    def weights(self) -> Iterator[tuple[str, int, str | None]]:
        """The activities that have session directories, each with the size of its own, and which account says so."""
        return weights_below(self.root)

    def remove(self, path: str) -> None:
        """Remove a session directory with all it holds. `path` is that of `Activity.session`."""
        if os.path.commonpath([self.root, path]) != self.root or path == self.root:
            raise ValueError(f"{path} is no session directory")
        copies.remove(path)
        with contextlib.suppress(FileNotFoundError):
            remove_tree(path)

    def account_of(self, session: str) -> str | None:
        """The account whose session directory it is; None of one that is the service's own."""
        del session
        return None

    def offer(self, session: str, contents: Mapping[str, str]) -> None:
        """Write the copies of credentials for a session directory's job, or new content into them."""
        copies.write(session, contents)

    def withdraw(self, sessions: Sequence[str]) -> None:
        """Remove the copies of credentials of jobs, all of one account."""
        for session in sessions:
            copies.remove(session)

    def offered(self, account: str | None) -> list[str]:
        """The ids of the activities of an account whose jobs have copies of credentials."""
        return copies.kept_beside(self.path(_ANY_ID, account))

    def missing(self, session: str, paths: Sequence[str], *, patterns: bool) -> list[str]:
        """Which of these files are not there. `patterns`: names with ``*``, ``?`` or ``[`` in them stand for what fits,
        as those of outputs do; inputs have the names that they have."""
        return [path for path in paths if not (_fitted if patterns and is_pattern(path) else _exists)(session, path)]

    def size_of(self, session: str, path: str) -> int | None:
        """The size of a plain file; None of anything else."""
        try:
            with parent_of(session, path) as (fd, name):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except (NotFound, InvalidInput, FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def clear(self, session: str, paths: Sequence[str], *, patterns: bool) -> None:
        """Remove files, directories with all they hold (by a trailing slash), and what fits `patterns`, as in
        `missing`; what is not there is removed already."""
        for path in paths:
            named = [path]
            if patterns and is_pattern(path):
                try:
                    named = [one.path for one in find(session, path, sys.maxsize)]
                except TransferFailed:
                    continue
            for one in named:
                with contextlib.suppress(NotFound, InvalidInput, FileNotFoundError, NotADirectoryError):
                    self._clear(session, one)

    def _clear(self, session: str, path: str) -> None:
        with parent_of(session, path, link=True) as (parent, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                remove_tree(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)

    def entries(self, session: str, path: str, after: str | None, limit: int) -> tuple[list[FileInfo], str | None]:
        """The entries of a directory by name, and the name to go on from. Memory is bounded: see `listing`."""
        prefix = "" if path in ("", ".", "/") else path.rstrip("/") + "/"
        with self._opened(session, path, os.O_RDONLY | os.O_DIRECTORY) as directory:
            names = self._listings.names(directory, after, limit + 1)
            found: list[FileInfo] = []
            for name in names[:limit]:
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    found.append(_info(prefix + name, os.stat(name, dir_fd=directory, follow_symlinks=False)))
        return found, names[limit - 1] if len(names) > limit else None

    def open(self, session: str, path: str) -> FileInfo | OpenFile:
        """Open a file for reading; of anything that is no file, its description."""
        with parent_of(session, path) as (parent, name):
            try:
                # Not blocking: a named pipe must not hold us up. What is no plain file is not read.
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
            except OSError as error:
                raise _no_such(path, error) from None
        info = _info(path, os.fstat(fd))
        if info.type != "file":
            os.close(fd)
            return info
        return OpenFile(info, lambda offset, size: os.pread(fd, size, offset), lambda: os.close(fd))

    @contextlib.contextmanager
    def _opened(self, session: str, path: str, flags: int) -> Iterator[int]:
        with parent_of(session, path) as (parent, name):
            try:
                fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            except OSError as error:
                raise _no_such(path, error) from None
        try:
            yield fd
        finally:
            os.close(fd)

    async def put(
        self,
        session: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        declared: InputFile | None = None,
        executable: bool = False,
        still: Callable[[], None] = lambda: None,
        most: int | None = None,
        conditions: Conditions = ALWAYS,
    ) -> FileInfo:
        """Write a file whole or not at all: under another name, checked against what was declared, then renamed.

        `still` is called just before that, and raises where the file may not be put there any more. Raises NoRoom
        where it is longer than `most`, Conflict where a file is there that is not to be replaced, PreconditionFailed
        where the conditions do not hold, first or last.
        """
        executable = executable or (declared is not None and declared.executable)
        wanted = checksums_of(declared)
        digest = Checksums(wanted) if wanted else None
        size = 0
        refuse = declared is not None and declared.creation == "refuse"
        partial = f"{PARTIAL}{os.urandom(8).hex()}"
        if conditions.match is not None and not _exists(session, path):
            raise PreconditionFailed(f"there is no {path!r}")  # and no directories are made for it
        with parent_of(session, path, make=True) as (parent, name):
            if name == ".":
                raise InvalidInput("a file needs a name", element="path")
            _check(conditions, path, parent, name)
            mode = 0o700 if executable else 0o600
            fd = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent
            )
            try:
                try:
                    async for chunk in content:
                        size += len(chunk)
                        if declared is not None and declared.size is not None and size > declared.size:
                            raise InvalidInput(
                                f"{path!r} is longer than the {declared.size} bytes declared", element=path
                            )
                        if most is not None and size > most:
                            raise NoRoom(f"{path!r} does not fit: {max(most, 0)} bytes are left of the quota")
                        await _to_its_end(_write_on, fd, chunk, digest)
                    compare(path, size, digest.hexadecimal() if digest else {}, declared)
                    await _to_its_end(os.fsync, fd)
                finally:
                    os.close(fd)
                still()
                self._fault("stage-in")
                with self._changing:
                    _check(conditions, path, parent, name)
                    if refuse or conditions.none_match == "*":
                        name_new(partial, name, parent)
                    else:
                        os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException as error:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=parent)
                if isinstance(error, FileExistsError) and not refuse:
                    raise PreconditionFailed(f"{path!r} is there already") from None
                if isinstance(error, FileExistsError):
                    raise Conflict(f"{path!r} is there already, and was declared not to be replaced") from None
                if isinstance(error, IsADirectoryError):
                    raise InvalidInput(f"{path!r} is a directory", element="path") from None
                if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                    raise Unavailable(f"{path!r} cannot be written: {error.strerror or error}") from error
                raise
            return _info(path, os.stat(name, dir_fd=parent, follow_symlinks=False))

    def put_inline(self, session: str, path: str, content: str, *, executable: bool) -> None:
        """Write a file whose content came with the description, whole or not at all; one that is there stays."""
        if _exists(session, path):
            return
        partial = f"{PARTIAL}{os.urandom(8).hex()}"
        with parent_of(session, path, make=True) as (parent, name):
            if name == ".":
                raise InvalidInput("a file needs a name", element="path")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                fd = os.open(partial, flags, 0o700 if executable else 0o600, dir_fd=parent)
                try:
                    write_all(fd, [content.encode()])
                    os.fsync(fd)
                finally:
                    os.close(fd)
                self._fault("stage-in")
                name_new(partial, name, parent)
            except FileExistsError:  # another look was quicker, and a job may have changed it
                os.unlink(partial, dir_fd=parent)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=parent)
                raise

    def delete(self, session: str, path: str, conditions: Conditions = ALWAYS) -> None:
        """Remove a file, an empty directory, or a link, not what it leads to. The conditions are of what it leads to,
        whose tag readers are told. Raises PreconditionFailed."""
        away = f"{PARTIAL}{os.urandom(8).hex()}"
        with parent_of(session, path, link=True) as (parent, name):
            try:
                with self._changing:  # uploads wait for this: no longer than for a change of names
                    directory = stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
                    if conditions != ALWAYS:
                        with parent_of(session, path) as (there, target):
                            _check(conditions, path, there, target)
                    if directory:
                        os.rmdir(name, dir_fd=parent)
                    else:
                        os.rename(name, away, src_dir_fd=parent, dst_dir_fd=parent)
                if not directory:
                    os.unlink(away, dir_fd=parent)
            except OSError as error:
                raise _no_such(path, error) from None


async def _to_its_end(function: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Run it in a thread; a cancellation waits for its end: its descriptor must not be closed before."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _check(conditions: Conditions, path: str, parent: int, name: str) -> None:
    if conditions == ALWAYS:
        return
    try:
        there = _info(path, os.stat(name, dir_fd=parent, follow_symlinks=False))
    except FileNotFoundError:
        there = None
    if not conditions.hold(there.etag if there else None, there.modified if there else 0.0):
        raise PreconditionFailed(f"{path!r} is there, as {there.etag}" if there else f"there is no {path!r}")


def _write_on(fd: int, chunk: bytes, digest: Checksums | None) -> None:
    if digest is not None:
        digest.update(chunk)
    write_all(fd, [chunk])


def _fitted(session: str, pattern: str) -> bool:
    try:
        return bool(find(session, pattern, 1))
    except TransferFailed as failure:
        return failure.fault is not Fault.MISSING  # there are more than one


def _exists(session: str, path: str) -> bool:
    try:
        with parent_of(session, path) as (fd, name):
            os.stat(name, dir_fd=fd, follow_symlinks=False)
    except (NotFound, FileNotFoundError, InvalidInput):
        return False
    except NotADirectoryError:  # the job has made something else of it
        return False
    return True


def _no_such(path: str, error: OSError) -> NotFound | InvalidInput:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return NotFound(f"there is no {path!r} in the session directory")
    return InvalidInput(f"{path!r}: {error.strerror}", element="path")


def _info(path: str, status: os.stat_result) -> FileInfo:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    else:
        kind = "link" if stat.S_ISLNK(mode) else "other"
    return FileInfo(
        path=path,
        type=kind,
        size=status.st_size,
        modified=status.st_mtime,
        executable=kind == "file" and bool(mode & 0o100),
        etag=f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"',
    )
