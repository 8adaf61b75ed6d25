"""The process of `scribe`: writes small files, many at a time. Standard library only, and nothing of Argosy.

Its standard input is a socket whose other end the service holds. It says ``READY``, then answers each request:

    request   length of the head (4 bytes, network order), head (JSON), the files' bytes one after another;
              with the first byte come descriptors of the directories
    head      {"files": [[number of the directory, partial name, name, mode, size], ...]}
    answer    length (4 bytes), JSON: for each file null, or [step, errno]

Each file is on the disk before it gets its name, and the directories are before the answer. Where the other end is
gone, no file gets its name any more. Without a request for `IDLE` seconds, and with the service, it ends.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import json
import os
import select
import socket
import struct
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

READY = b"+"
IDLE = 60.0
#: More descriptors do not go with one message (SCM_MAX_FD is 253).
MOST_DIRECTORIES = 64
_AT_ONCE = 8
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BEGIN_WRITING = 2  # SYNC_FILE_RANGE_WRITE

# Which step did not work: writing the file, giving it its name, having the directory on the disk.
WRITE, NAME, LAST = 0, 1, 2

Failed = tuple[int, int]


def serve(server: socket.socket) -> None:
    """Answer whoever is at the other end, until it is gone or has nothing to ask for long enough."""
    server.settimeout(IDLE)
    try:
        server.sendall(READY)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while _answer(server, threads):
                pass
    except (TimeoutError, ConnectionError):
        return


def _answer(server: socket.socket, threads: Executor) -> bool:
    start, passed, _, _ = socket.recv_fds(server, 4, MOST_DIRECTORIES)
    directories = array.array("i", passed)
    try:
        if not start:
            return False
        start += _read(server, 4 - len(start))
        head = json.loads(_read(server, struct.unpack("!I", start)[0]))
        data = memoryview(_read(server, sum(file[4] for file in head["files"])))
        answer = json.dumps(write(server, threads, head["files"], data, directories)).encode()
    finally:
        for fd in directories:
            os.close(fd)
    server.sendall(struct.pack("!I", len(answer)) + answer)
    return True


def _read(server: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = server.recv(size)
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write(
    server: socket.socket, threads: Executor, files: list[list[Any]], data: memoryview, directories: array.array[int]
) -> list[Failed | None]:
    """Have all files on the disk under their names. Raises ConnectionResetError where nobody is told any more."""
    failed: list[Failed | None] = [None] * len(files)
    descriptors = [-1] * len(files)
    named = [False] * len(files)
    offset = 0
    try:
        for index, (directory, partial, _, mode, size) in enumerate(files):
            try:
                descriptors[index] = os.open(partial, _FLAGS, mode, dir_fd=directories[directory])
                _write_all(descriptors[index], data[offset : offset + size])
                _begin(descriptors[index])
            except OSError as error:
                failed[index] = WRITE, error.errno or errno.EIO
            offset += size

        def sync(first: int) -> None:
            for index in range(first, len(files), _AT_ONCE):
                if failed[index] is None:
                    try:
                        os.fsync(descriptors[index])
                    except OSError as error:
                        failed[index] = WRITE, error.errno or errno.EIO

        # Some at once: each waits until the disk has emptied its cache, which it does for all that wait.
        list(threads.map(sync, range(_AT_ONCE)))
        if select.select([server], [], [], 0)[0]:
            # There is nothing that it could say meanwhile: it is gone, and another may be at work in its place.
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        for index, (directory, partial, name, _, _) in enumerate(files):
            if failed[index] is None:
                try:
                    os.rename(partial, name, src_dir_fd=directories[directory], dst_dir_fd=directories[directory])
                    named[index] = True
                except OSError as error:
                    failed[index] = NAME, error.errno or errno.EIO
        for number, fd in enumerate(directories):
            try:
                os.fsync(fd)
            except OSError as error:
                for index, file in enumerate(files):
                    if file[0] == number and failed[index] is None:
                        failed[index] = LAST, error.errno or errno.EIO
    finally:
        for index, fd in enumerate(descriptors):
            if fd >= 0:
                os.close(fd)
                if not named[index]:
                    with contextlib.suppress(FileNotFoundError):  # its directory may have been removed meanwhile
                        os.unlink(files[index][1], dir_fd=directories[files[index][0]])
    return failed


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _range is not None:
    _range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def _begin(fd: int) -> None:
    """Have the disk begin, without waiting: the fsync that follows tells of errors."""
    if _range is not None:
        _range(fd, 0, 0, _BEGIN_WRITING)


if __name__ == "__main__":
    with socket.socket(fileno=0) as standard_input:
        serve(standard_input)
