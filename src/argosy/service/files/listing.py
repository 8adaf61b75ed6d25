"""The names in a directory, page by page, also where there are a million of them.

A page is the next names in order, wherever the last one ended; nothing is kept open between two. One look at a large
directory gives the names of many pages: they are remembered, so long as the directory is as it was.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from heapq import nsmallest

#: How many names one look at a directory gives at most: about 10 MB of them.
_AHEAD = 100_000
#: What is no larger is looked at anew for each page.
_SMALL = 2_000
_STEP = 1_000_000_000
#: How many directories are remembered.
_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class _Look:
    """The names after `after`, in order; `whole`: there are no more."""

    after: str
    names: list[str]
    whole: bool

    def page(self, after: str, count: int) -> list[str] | None:
        """The next `count` names; None where this look does not tell."""
        if after < self.after:
            return None
        begin = bisect_right(self.names, after)
        if len(self.names) - begin < count and not self.whole:
            return None
        return self.names[begin : begin + count]


class Listings:
    """Looks at directories. Names that begin with `hidden` are left out. May be used by several threads."""

    def __init__(self, hidden: str) -> None:
        self._hidden = hidden
        self._lock = threading.Lock()
        self._looks: OrderedDict[tuple[int, int, int], _Look] = OrderedDict()

    def names(self, directory: int, after: str | None, count: int) -> list[str]:
        """The first `count` names after the name `after` of an open directory. Blocks."""
        status = os.fstat(directory)
        # One that is written to has another time, and is looked at anew.
        key = (status.st_dev, status.st_ino, status.st_mtime_ns)
        after = after or ""
        with self._lock:
            look = self._looks.get(key)
            page = look.page(after, count) if look is not None else None
        if page is not None:
            return page
        look = self._look(directory, after, max(count, _AHEAD))
        # The time of a directory has steps: a change in the same step would not show.
        if len(look.names) > _SMALL and time.time_ns() - status.st_mtime_ns > _STEP:
            with self._lock:
                self._looks[key] = look
                self._looks.move_to_end(key)
                while len(self._looks) > _REMEMBERED:
                    self._looks.popitem(last=False)
        return look.names[:count]

    def _look(self, directory: int, after: str, most: int) -> _Look:
        with os.scandir(directory) as entries:
            names = nsmallest(
                most + 1,
                (entry.name for entry in entries if entry.name > after and not entry.name.startswith(self._hidden)),
            )
        return _Look(after, names[:most], len(names) <= most)
