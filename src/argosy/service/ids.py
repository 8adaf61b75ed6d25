"""Names of activities: unique, ordered by time, and safe in paths, scripts and URLs."""

from __future__ import annotations

import os
import re
import time

from argosy.model import InvalidInput

_ID = re.compile(r"[0-9a-f]{32}")
_last = 0
#: Random bytes that no id has had yet. Asking the system lets other threads have the interpreter, each time.
_random = b""
_AT_ONCE = 1024


def _forget_random() -> None:
    global _random
    _random = b""


os.register_at_fork(after_in_child=_forget_random)


def check_cursor(cursor: str | None, prefix: str = "") -> None:
    """Raise InvalidInput where a cursor cannot be what a page of things that have ids ended with."""
    if cursor and not (cursor.startswith(prefix) and _ID.fullmatch(cursor, len(prefix))):
        raise InvalidInput("that is the `next` of no page; leave it out for the first one", element="cursor")


def new_id() -> str:
    """A UUID of version 7 (RFC 9562, 5.7) as 32 hexadecimal digits: 48 bits of milliseconds, then random bits.

    Within one process later ids are greater: 12 of the random bits count within a millisecond.
    """
    global _last, _random
    now = time.time_ns()
    # Milliseconds, and a fraction of one in 12 bits (RFC 9562, 6.2, method 3).
    stamp = (now // 1_000_000 << 12) | (now % 1_000_000 * 4096 // 1_000_000)
    _last = stamp = max(stamp, _last + 1)
    if not _random:
        _random = os.urandom(_AT_ONCE)
    mine, _random = 0b10 << 62 | int.from_bytes(_random[:8]) >> 2, _random[8:]
    return f"{stamp >> 12:012x}7{stamp & 0xFFF:03x}{mine:016x}"
