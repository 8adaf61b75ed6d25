"""Start one process and learn how it ended. Standard library only: the reaper runs this without the rest of Argosy.

Processes are started with posix_spawn (`posix`), which does not copy the caller's page tables. What it cannot start,
for whatever reason, `subprocess.Popen` tries again: it tells why, and knows every case. Its object is dropped at once:
waiting is done with wait4, which tells the usage too.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

from . import posix

#: The exit codes of a shell that cannot start a program (POSIX.1-2017, XCU 2.8.2).
NOT_FOUND = 127
NOT_EXECUTABLE = 126

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_STREAMS = (None, None, None)
#: The first descriptor that is not a standard stream: those would be overwritten before they are used.
_FIRST_FREE = 3


class NotStarted(Exception):
    """The process could not be started. The message is in the operating system's words; `exit_code` is a shell's."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class NoRoom(NotStarted):
    """The system has no room for it now, in open files or processes: nothing has run, and later the same may."""


class Prepared(NamedTuple):
    """All that is needed to start a process, nothing left to be looked up.

    The environment is `base` overlaid with `changes`; many processes may share one `base`. Streams are absolute paths
    or relative to `directory`; None is ``/dev/null``.
    """

    argv: tuple[str, ...]
    directory: str | None
    base: Mapping[str, str] | None
    changes: Mapping[str, str]
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None


class Encoded(NamedTuple):
    """A `Prepared` as the C library is given it."""

    executable: bytes
    argv: posix.Pointers
    environment: posix.Variables
    directory: bytes | None


class Started(NamedTuple):
    """A process that was started. The caller closes `pidfd`."""

    pid: int
    pidfd: int

    @property
    def start_time(self) -> int:
        """In clock ticks since boot; to be asked for while the process has not been reaped."""
        return start_time(self.pid)


class Ended(NamedTuple):
    """How a process ended: `exit_code` is 128 + `signal` where a signal ended it.

    CPU time is in seconds and `max_rss` in bytes, both with the descendants that were waited for. `max_rss` is None
    where it does not exceed this process's own: the kernel counts the memory of whoever started it.
    """

    exit_code: int
    signal: int | None
    cpu_seconds: float
    max_rss: int | None


def start(prepared: Prepared, encoded: Encoded | None = None) -> Started:
    """Start it as the leader of a new session; `encoded` is what `encode` made of it. Raises NotStarted."""
    global _tight
    if _tight:
        _look_for_room()
    # That nobody can watch a process would be found out when it runs already: a descriptor is kept for that.
    try:
        spare = _spares.pop()
    except IndexError:
        spare = _reserve()
    try:
        pid = launch(prepared, encoded)
    except NotStarted:
        _spares.append(spare)
        raise
    # The process cannot be gone: it stays a zombie until it is reaped, which only the caller does.
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:  # of open files there are as many as there may be
        _tight = True
        os.close(spare)
        return Started(pid, _watch(pid))
    _spares.append(spare)
    if pidfd >= _plenty:
        _tight = True
    return Started(pid, pidfd)


def _watch(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError as error:  # another part of this program was quicker to open something
        os.kill(pid, signal.SIGKILL)
        reap(pid)
        raise NotStarted(f"the process cannot be watched: {error.strerror}", NOT_EXECUTABLE) from error


def encode(prepared: Prepared) -> Encoded | None:
    """What is given to the system to start it, as long as this process's environment stays as it is.

    None where posix_spawn cannot be given that.
    """
    if posix.spawn is None:
        return None
    base = prepared.base
    known = _of_none if not base else _own if base is os.environ else _given
    try:
        environment = known.encode(base or {}, prepared.changes)
        argv = posix.encode_arguments(prepared.argv)
        directory = None if prepared.directory is None else os.fsencode(prepared.directory)
        executable = posix.find_executable(argv[0], environment.path)
    except (posix.CannotEncode, TypeError):
        return None
    return None if executable is None else Encoded(executable, posix.pointers(argv), environment, directory)


def launch(prepared: Prepared, encoded: Encoded | None = None) -> int:
    """As `start`, and answer with the process id alone."""
    encoded = encoded or encode(prepared)
    null = _null()
    streams = [null, null, null]
    plain = prepared[4:7] == _NO_STREAMS
    try:
        if not plain:
            _open_streams(prepared, streams)
        if encoded is not None and posix.spawn is not None and min(streams) >= _FIRST_FREE:
            executable, argv, environment, directory = encoded
            all_streams = streams[0], streams[1], streams[2]
            error, pid = posix.spawn(executable, argv, environment.pointers, directory, all_streams)
            if not error:
                return pid
        process = subprocess.Popen(
            prepared.argv,
            cwd=prepared.directory,
            env={**prepared.base, **prepared.changes} if prepared.base else prepared.changes,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(error, prepared) from error
    except (ValueError, TypeError) as error:  # a text that cannot be passed on, e.g. with a NUL in it
        raise NotStarted(str(error), NOT_EXECUTABLE) from error
    finally:
        if not plain:
            for fd in set(streams) - {null}:
                os.close(fd)
    process.returncode = 0  # so that the dropped object neither waits nor complains
    return process.pid


def reap(pid: int) -> Ended:
    """Wait for a child process and learn how it ended. Returns at once where its pidfd is readable."""
    _, status, usage = os.wait4(pid, 0)
    return ended(status, usage)


def ended(status: int, usage: resource.struct_rusage) -> Ended:
    """What the answer of wait4 means."""
    global _max_rss
    code = os.waitstatus_to_exitcode(status)
    most = usage.ru_maxrss
    if most > _max_rss:  # this process's own only grows
        _max_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Ended(
        128 - code if code < 0 else code,
        -code if code < 0 else None,
        usage.ru_utime + usage.ru_stime,
        most * 1024 if most > _max_rss else None,
    )


def start_time(pid: int) -> int:
    """When a process was started, in clock ticks since boot; with the pid it names a process for good.

    Raises ProcessLookupError where there is none that this user may see (field 22 of /proc/PID/stat).
    """
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from None
    try:
        text = os.read(fd, 4096)
    finally:
        os.close(fd)
    return int(text[text.rindex(b")") + 2 :].split(b" ", 20)[19])


#: For environments that are given, for this process's own, and for none.
_given, _own, _of_none = posix.Environment(), posix.Environment(), posix.Environment()
#: The most memory that this process is known to have had, in KiB.
_max_rss = 0
_null_fd = -1
#: Descriptors that are kept for watching what is started, one for each start that is under way.
_spares: list[int] = []
#: So many descriptors are left to the rest of the program, and to what it takes to cancel jobs.
_LEFT = 16
#: Descriptors from here on are near the limit: the system gives the lowest that is free.
_plenty = 0
#: Whether so many files are open that each start first looks for room.
_tight = True
#: What the system says where there are too many open files, or processes.
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.EAGAIN)


def _look_for_room() -> None:
    global _plenty, _tight
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    _plenty = sys.maxsize if limit == resource.RLIM_INFINITY else limit - min(_LEFT, limit // 4)
    lowest = _reserve()
    os.close(lowest)
    if lowest >= _plenty:
        raise NoRoom(f"{os.strerror(errno.EMFILE)} (ulimit -n is {limit})", NOT_EXECUTABLE)
    _tight = False


def _reserve() -> int:
    try:
        return os.dup(_null())
    except OSError as error:
        raise NoRoom(f"{error.strerror}", NOT_EXECUTABLE) from error


def _null() -> int:
    global _null_fd
    if _null_fd < 0:
        _null_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    return _null_fd


def _open_streams(prepared: Prepared, fds: list[int]) -> None:
    seen: os.stat_result | None = None
    for index, path in enumerate(prepared[4:7]):
        if path is None:
            continue
        if prepared.directory is not None:
            path = os.path.join(prepared.directory, path)
        try:
            fds[index] = os.open(path, _WRITE if index else _READ, 0o644)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise NoRoom(f"{error.strerror}: {path}", NOT_EXECUTABLE) from error
            _check_directory(prepared.directory)
            raise NotStarted(f"{error.strerror}: {path}", NOT_FOUND) from error
        status = os.fstat(fds[index])
        if not stat.S_ISREG(status.st_mode):
            if stat.S_ISDIR(status.st_mode):
                raise NotStarted(f"{os.strerror(errno.EISDIR)}: {path}", NOT_FOUND)
            # Opening must not wait for the other end of a pipe; what the process does with it may.
            os.set_blocking(fds[index], True)
        if index == 2 and seen is not None and os.path.samestat(seen, status):
            os.close(fds[2])
            fds[2] = fds[1]
        seen = status if index == 1 else None


def _check_directory(directory: str | None) -> None:
    if directory is not None:
        try:
            os.close(os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise NotStarted(f"{error.strerror}: {directory}", NOT_FOUND) from error


def _not_started(error: OSError, prepared: Prepared) -> NotStarted:
    executable = prepared.argv[0]
    if error.errno in _NO_ROOM:
        return NoRoom(f"{error.strerror}: {executable}", NOT_EXECUTABLE)
    if error.filename is None or (error.filename == prepared.directory and error.filename != executable):
        return NotStarted(f"{error.strerror}: {error.filename or executable}", NOT_FOUND)
    message = f"{error.strerror}: {executable}"
    if error.errno != errno.ENOENT:
        return NotStarted(message, NOT_EXECUTABLE)
    if "/" in executable and os.path.exists(os.path.join(prepared.directory or "", executable)):
        message += " (it is there, but the interpreter that its first line names is not)"
    return NotStarted(message, NOT_FOUND)
