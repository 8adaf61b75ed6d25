"""How much lies in session directories."""

from __future__ import annotations

import os
from collections.abc import Iterator


def weights_below(root: str) -> Iterator[tuple[str, int, str | None]]:
    """The activities whose session directories are below a root, each with its size in bytes, and the account that says
    so: None, where it is seen by ourselves. Blocks."""
    for upper in _directories_in(root):
        if len(upper.name) == 2:
            for one in _directories_in(upper.path):
                yield one.name, size_below(one.path), None


def size_below(path: str) -> int:
    """The sizes of all plain files below a directory, of those that can be seen. Links are not followed. Blocks."""
    total = 0
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        elif entry.is_file(follow_symlinks=False):
                            total += entry.stat(follow_symlinks=False).st_size
                    except OSError:
                        continue
        except OSError:
            continue  # gone meanwhile, closed by the job, or so deep that its path is too long: the others count
    return total


def _directories_in(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
