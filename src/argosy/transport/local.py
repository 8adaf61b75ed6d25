"""This machine as a transport."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from argosy.model import Command, Completed, Unavailable

from .contract import Transport
from .notices import notices

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Commands under way at once. Schedulers answer fastest to a handful (measured: 4 give twice what 1 gives).
_AT_ONCE = 8
_FILES_AT_ONCE = 4
#: How long a command that was killed may take to let go of its outputs, in seconds.
_PIPES = 5.0


class LocalTransport(Transport):
    """Runs commands as child processes.

    `environ` is what those start with that bring no `Origin`; None means this process's own, as it is now.
    """

    where = "this machine"

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argosy-commands")
        # Files have threads of their own: they must not wait behind commands that hang.
        self._files = ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="argosy-files")
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    async def run(self, command: Command, *, timeout: float) -> Completed:
        return await self._in_thread(self._pool, self._run, command, timeout)

    def _run(self, command: Command, timeout: float) -> Completed:
        origin = command.origin
        environ = dict(self._environ if origin is None else origin.environ)
        for name, value in command.environment.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
        argv = command.argv
        try:
            with _input(command.stdin) as stdin:
                child = subprocess.Popen(
                    argv,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=None if origin is None else origin.directory,
                    env=environ,
                    start_new_session=True,
                )
        except OSError as error:
            why = error.strerror or str(error)
            if origin is not None and error.filename == origin.directory:
                why = f"{origin.directory}: {why}"
            raise Unavailable(f"{argv[0]} cannot be run on {self.where}: {why}") from error
        self._children.add(child)
        if self._closed:  # since it was asked for: whoever closed it did not see this one
            _kill_group(child)
        try:
            with child:
                try:
                    out, err = child.communicate(timeout=timeout)
                except subprocess.TimeoutExpired:
                    _kill_group(child)
                    with contextlib.suppress(
                        subprocess.TimeoutExpired
                    ):  # what left the group may have its outputs open
                        child.communicate(timeout=_PIPES)
                    raise Unavailable(f"{argv[0]} gave no answer within {timeout:g} s on {self.where}") from None
        finally:
            self._children.discard(child)
        if self._closed and child.returncode < 0:
            raise Unavailable(f"{argv[0]} was ended on {self.where}: the transport was closed")
        return Completed(argv, child.returncode, _text(out), _text(err))

    async def home(self) -> str:
        return self._environ.get("HOME") or str(Path.home())

    async def make_directories(self, paths: Sequence[str]) -> None:
        await self._in_thread(self._files, make_directories, paths)

    async def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        await self._in_thread(self._files, _write, path, data, mode)

    async def read(self, path: str) -> bytes | None:
        return await self._in_thread(self._files, _read, path)

    async def collect(self, directory: str, *, limit: int = 10_000) -> list[tuple[str, bytes]]:
        return await self._in_thread(self._files, _collect, directory, limit)

    async def remove(self, paths: Sequence[str]) -> None:
        await self._in_thread(self._files, _remove, paths)

    async def watch(self, directory: str, changed: Callable[[], None]) -> Callable[[], None] | None:
        try:
            return notices().add(directory, changed)
        except OSError:  # the user's limit is reached, or the file system cannot: polling goes on without
            return None

    async def close(self) -> None:
        self._closed = True
        for child in list(self._children):
            _kill_group(child)
        for pool in (self._pool, self._files):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(
        self, pool: ThreadPoolExecutor, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        if self._closed:
            raise Unavailable(f"the transport to {self.where} is closed")
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(pool, lambda: function(*args, **kwargs))
        except RuntimeError as error:
            if "shutdown" not in str(error):
                raise Unavailable(f"nothing can be done on {self.where} now: {error}") from error
            # The interpreter is ending and starts no more threads: whatever this was for ends with it.
            raise asyncio.CancelledError(str(error)) from None
        return await future


def _input(text: str) -> BinaryIO:
    """All of a command's standard input, as a file.

    Through a pipe it would go in pieces, and where this process is killed meanwhile, the end of a piece would be taken
    for the end of all: sbatch submits such a part of a script.
    """
    file = os.fdopen(os.memfd_create("input"), "w+b")
    file.write(text.encode("utf-8", "surrogateescape"))
    file.seek(0)
    return file


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    # The child leads a session of its own: whatever it started goes with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def make_directories(paths: Sequence[str]) -> None:
    """Make them, and those above them that are missing: for the user alone. Raises Unavailable."""
    for path in paths:
        try:
            _make_directory(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be made: {error.strerror}") from error


def _make_directory(path: str) -> None:
    # os.makedirs gives its mode to the last directory only.
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        _make_directory(os.path.dirname(path))
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _write(path: str, data: bytes, mode: int) -> None:
    temporary = f"{path}.{os.getpid()}.{os.urandom(6).hex()}.tmp"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from error


def _collect(directory: str, limit: int) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry, _ in zip(entries, range(limit), strict=False) if entry.is_file()]
    except FileNotFoundError:
        return found
    except OSError as error:
        raise Unavailable(f"{directory} cannot be read: {error.strerror}") from error
    for name in names:
        data = _read(os.path.join(directory, name))
        if data is not None:
            found.append((name, data))
    return found


def _remove(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except IsADirectoryError:
            _remove_tree(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be removed: {error.strerror}") from error


def _remove_tree(path: str) -> None:
    try:
        shutil.rmtree(path)
    except FileNotFoundError:  # somebody else removes it too
        shutil.rmtree(path, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"{path} cannot be removed: {error.strerror}") from error
