"""Having the disk begin to write before it must be waited for."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

_WRITE = 2  # SYNC_FILE_RANGE_WRITE


def begin(fd: int) -> None:
    """Start writing what is changed in an open file (sync_file_range(2)).

    No more than a hint: the fsync that follows waits for it, and is who tells of errors.
    """
    start = _function()
    if start is not None:
        start(fd, 0, 0, _WRITE)


@functools.cache
def _function() -> Callable[..., int] | None:
    found = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return found
