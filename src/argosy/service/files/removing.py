"""Removing a directory with all that a job has left in it, however deep and however closed.

What lies deeper is moved up to the top before it is removed: two descriptors are enough for any depth, and no path
becomes too long. No link is followed.
"""

from __future__ import annotations

import os
import stat
from collections import deque

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(name: str, *, dir_fd: int | None = None) -> None:
    """Remove a directory. Raises FileNotFoundError where there is none, OSError where something cannot be removed, or
    was added meanwhile; what could be removed is gone then."""
    top = _open(name, dir_fd)
    try:
        prefix = f".argosy-removed-{os.urandom(8).hex()}-"
        waiting = deque(os.listdir(top))
        moved = 0
        while waiting:
            one = waiting.popleft()
            try:
                os.unlink(one, dir_fd=top)
            except FileNotFoundError:
                continue
            except IsADirectoryError:
                for inner in _emptied(one, top):
                    moved += 1
                    _move(inner, one, top, f"{prefix}{moved}")
                    waiting.append(f"{prefix}{moved}")
                os.rmdir(one, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=dir_fd)


def _open(name: str, dir_fd: int | None) -> int:
    mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode) and mode & 0o700 != 0o700:
        # A job may have left directories that even their owner cannot look into.
        os.chmod(name, 0o700, dir_fd=dir_fd)
    return os.open(name, _DIRECTORY, dir_fd=dir_fd)


def _emptied(name: str, dir_fd: int) -> list[str]:
    """Remove what a directory holds, but for directories that are not empty: the names of those."""
    left = []
    fd = _open(name, dir_fd)
    try:
        with os.scandir(fd) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for inner, is_directory in found:
            if is_directory:
                left.append(inner)
            else:
                os.unlink(inner, dir_fd=fd)
    finally:
        os.close(fd)
    return left


def _move(inner: str, outer: str, top: int, name: str) -> None:
    fd = _open(outer, top)
    try:
        # Its owner must be able to write to a directory that gets another parent.
        os.close(_open(inner, fd))
        os.rename(inner, name, src_dir_fd=fd, dst_dir_fd=top)
    finally:
        os.close(fd)
