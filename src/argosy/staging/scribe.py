"""Small files, written by a process of their own, many at a time.

Each file is half a dozen calls of the kernel. A thread of this process would have to wait for the interpreter's lock
after each of them, behind all that the service does meanwhile, and the service behind it. `scribe_process` is what the
process does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from . import scribe_process
from .scribe_process import LAST, NAME, READY, WRITE

__all__ = ["LAST", "NAME", "WRITE", "Scribe", "Sheet", "Trouble"]

log = logging.getLogger(__name__)

#: After the process has been told to end; what it is at is small.
_END = 10.0
#: Before it is started again where it did not work.
_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file to be written into the directory of `parent`, first as `partial`, then under its name."""

    parent: int
    partial: str
    name: str
    mode: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a file is not there: the step (WRITE, NAME, LAST), and what the kernel said of it."""

    step: int
    error: OSError


class Scribe:
    """Starts the process when it is first wanted, and again when it has ended. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = False
        self._closed = False
        self._not_before = 0.0

    def write(self, sheets: Sequence[Sheet]) -> list[Trouble | None] | None:
        """Have all of them on the disk under their names. Blocks.

        None where the process is not there yet, has ended, or is busy for somebody else: nothing of them is left then
        but what has its name, and the caller does it.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._closed or time.monotonic() < self._not_before:
                return None
            try:
                if not self._is_ready():
                    return None
                return self._asked(sheets)
            except OSError as error:
                log.warning("the process that writes small files cannot be used: %s", error)
                self._not_before = time.monotonic() + _PAUSE
                self._end()
        finally:
            self._lock.release()
        for sheet in sheets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(sheet.partial, dir_fd=sheet.parent)
        return None

    def _is_ready(self) -> bool:
        """Whether it has said that it listens. One that is not there is started, and nobody waits for it."""
        if self._socket is None:
            self._start()
        assert self._socket is not None
        if not select.select([self._socket], [], [], 0)[0]:
            return self._ready
        # Its first word, or its end: it says nothing else by itself.
        said = self._socket.recv(1)
        if said == READY and not self._ready:
            self._ready = True
            return True
        self._end()
        return False

    def _start(self) -> None:
        ours, its = socket.socketpair()
        with its:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", scribe_process.__file__],
                    env={},
                    cwd="/",
                    stdin=its.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        self._socket, self._ready = ours, False

    def _asked(self, sheets: Sequence[Sheet]) -> list[Trouble | None]:
        assert self._socket is not None
        directories = list(dict.fromkeys(sheet.parent for sheet in sheets))
        numbers = {fd: number for number, fd in enumerate(directories)}
        head = json.dumps(
            {"files": [[numbers[one.parent], one.partial, one.name, one.mode, len(one.data)] for one in sheets]}
        ).encode()
        start = struct.pack("!I", len(head))
        sent = socket.send_fds(self._socket, [start], directories)
        self._socket.sendall(b"".join([start[sent:], head, *(sheet.data for sheet in sheets)]))
        size = struct.unpack("!I", self._received(4))[0]
        return [
            None if said is None else Trouble(said[0], OSError(said[1], os.strerror(said[1])))
            for said in json.loads(self._received(size))
        ]

    def _received(self, size: int) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionResetError("it says nothing any more")
        return data

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):  # not while the disk hangs
                    self._process.wait(_END)
            self._process = None

    def close(self) -> None:
        """End the process. Blocks, but not for a disk that hangs."""
        self._closed = True
        if not self._lock.acquire(timeout=_END):
            log.warning("the process that writes small files does not come to an end, and is killed")
            if (process := self._process) is not None:
                process.kill()
            if not self._lock.acquire(timeout=_END):
                return  # not even that ends it while the disk hangs
        try:
            self._end()
        finally:
            self._lock.release()
