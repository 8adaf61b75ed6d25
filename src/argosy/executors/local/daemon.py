"""Becoming the reaper, and starting one.

`main` is what the new process runs, standard library only; `ensure` is what a client calls. The process starts with
``-I -S`` and an empty environment, and imports this package under another name, without Argosy around it: it is small,
and no variable, current directory or later installation changes what it runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from .reaper import Reaper, log

#: How long the reaper stays without jobs and clients, in seconds.
IDLE = 60.0
#: How long a reaper may take until it listens, in seconds; it reads its journal first.
PATIENCE = 30.0

_PR_SET_CHILD_SUBREAPER = 36
_BOOT = """\
import sys, types
package = types.ModuleType("argosy_local")
package.__path__ = [sys.argv[1]]
sys.modules["argosy_local"] = package
from argosy_local.daemon import main
main(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
"""


class DaemonError(Exception):
    """The reaper could not be started; the message says why."""


def connect(directory: str) -> socket.socket:
    """A connection to the reaper of this directory. Raises OSError where none listens."""
    with _socket_path(directory) as path:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
    return connection


def ensure(directory: str, slots: int, *, idle: float = IDLE) -> socket.socket:
    """A connection to the reaper of this directory, started where there is none. Raises DaemonError.

    The reaper is in a session of its own and no child of this process: it survives this one's end and that of its
    process group and terminal. It starts with `slots` CPU cores; one that runs already keeps its own.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(directory)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            words = _launch(directory, slots, idle, deadline)
            if words.startswith("busy"):
                # The one that has the lock is about to listen, or about to end.
                select.select([], [], [], 0.05)
            elif words:
                raise DaemonError(words) from error
        if time.monotonic() > deadline:
            raise DaemonError(f"another reaper has the lock in {directory}, but it does not answer")


def _launch(directory: str, slots: int, idle: float, deadline: float) -> str:
    """Start a reaper and wait until it listens; what it had to say where it does not."""
    package = os.path.dirname(os.path.abspath(__file__))
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, package, directory, str(slots), str(idle)],
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = b""
    with process.stdout as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            data = os.read(pipe.fileno(), 65536)
            said += data
            if not data or said.endswith(b"\0"):
                break
        else:
            process.kill()
            said += b"the reaper took too long to start"
    process.wait()
    words = said.decode("utf-8", "replace")
    return (
        ""
        if words == "ready\0"
        else words.rstrip("\0") or f"the reaper ended at once; {directory}/reaper.log may say why"
    )


def main(directory: str, slots: int, idle: float) -> None:
    """Be the reaper of `directory`."""
    try:
        _run(directory, slots, idle)
    except DaemonError as error:
        print(error, end="\0", flush=True)  # noqa: T201 - the pipe to whoever starts it
        sys.exit(1)


def _run(directory: str, slots: int, idle: float) -> None:
    directory = os.path.abspath(directory)
    status = os.stat(directory)
    if status.st_uid != os.geteuid():
        raise DaemonError(f"{directory} belongs to another user")
    if status.st_mode & 0o022:
        raise DaemonError(f"others may write to {directory}: make its mode 0700")
    # Whoever starts it waits for the first of the two processes only, and has no child left.
    if os.fork():
        os._exit(0)
    lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DaemonError(f"busy: another reaper has the lock in {directory}") from None
    _detach()
    reaper = Reaper(directory, slots, idle)
    log_fd = os.open(
        os.path.join(directory, "reaper.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    os.dup2(log_fd, 2)
    os.close(log_fd)
    log(f"reaper {os.getpid()} begins with {slots} slots")
    try:
        reaper.open()
    except OSError as error:
        log(f"the reaper ends, it cannot begin: {error}")
        raise DaemonError(f"the reaper cannot begin: {error}") from error
    with _socket_path(directory) as path, contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with _socket_path(directory) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        # The directory keeps others out until the mode is right, and the peer's user is checked in any case.
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(128)
        os.write(1, b"ready\0")
        os.dup2(2, 1)
        reaper.run(listener)
        os.unlink(path)
    log("reaper ends: nobody needs it")
    os.close(lock)


def _detach() -> None:
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN and number not in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # or its jobs would ignore it too
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise DaemonError(f"cannot become a subreaper: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def _socket_path(directory: str) -> Iterator[str]:
    """The path of the socket, short however long that of the directory is (sockets have 107 bytes for it)."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/socket"
    finally:
        os.close(fd)
