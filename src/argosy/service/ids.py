"""Names of activities: unique, ordered by time, and safe in paths, scripts and URLs."""

from __future__ import annotations

import os
import time

_last = 0


def new_id() -> str:
    """A UUID of version 7 (RFC 9562, 5.7) as 32 hexadecimal digits: 48 bits of milliseconds, then random bits.

    Within one process later ids are greater: 12 of the random bits count within a millisecond.
    """
    global _last
    now = time.time_ns()
    # Milliseconds, and a fraction of one in 12 bits (RFC 9562, 6.2, method 3).
    stamp = (now // 1_000_000 << 12) | (now % 1_000_000 * 4096 // 1_000_000)
    _last = stamp = max(stamp, _last + 1)
    value = (stamp >> 12) << 80 | 7 << 76 | (stamp & 0xFFF) << 64
    value |= 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return f"{value:032x}"
