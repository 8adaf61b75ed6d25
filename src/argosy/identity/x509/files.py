"""Directories of trust as they are now: read when something in them has changed, looked at from time to time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from argosy.model import Unavailable

#: (name, change time in ns, size, inode) of every file.
Fingerprint = tuple[tuple[str, int, int, int], ...]


def fingerprint(paths: Iterable[str]) -> Fingerprint:
    """What changes when a file is replaced, added or removed. A file that is gone meanwhile is not there."""
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        found.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(sorted(found))


class Watched:
    """Something that is made of files. `generation` grows by one each time that it is made anew."""

    def __init__(
        self, what: str, files: Callable[[], list[str]], make: Callable[[list[str]], None], every: float
    ) -> None:
        """`files` names them, `make` reads them; they are looked at every `every` seconds at the most."""
        self.generation = 0
        self._what = what
        self._files = files
        self._make = make
        self._every = every
        self._looked: float | None = None
        self._seen: Fingerprint = ()

    def refresh(self) -> int:
        """Read what has changed, if it is time to look; the generation now. Raises Unavailable."""
        now = time.monotonic()
        if self._looked is not None and now - self._looked < self._every:
            return self.generation
        try:
            files = self._files()
            seen = fingerprint(files)
            if self._looked is None or seen != self._seen:
                self._make(files)
                self._seen = seen
                self.generation += 1
        except OSError as error:
            raise Unavailable(f"{self._what} cannot be read: {error.strerror}") from error
        self._looked = now
        return self.generation
