"""How PBS and Torque write single values: times, durations, sizes, hosts."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = re.compile(r"\w{3} (\w{3}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})\Z", re.ASCII)
_DURATION = re.compile(r"(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,12})(?:\.\d+)?\Z", re.ASCII)
_SIZE = re.compile(r"(\d{1,18})([kmgtp]?)([bw]?)\Z", re.ASCII)


def time(value: str | None) -> float | None:
    """Seconds since the epoch of ``Sat Nov 21 10:21:30 2026`` (UTC), or of that number itself; None where none."""
    if value is None:
        return None
    if value.isdecimal() and value.isascii():
        return float(value[:12]) or None
    match = _TIME.match(value)
    if match is None or match[1] not in _MONTHS:
        raise ValueError(f"{value!r} is not a time")
    month, day, hour, minute, second, year = match.groups()
    moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    return moment.timestamp()


def duration(value: str | None) -> int | None:
    """Seconds of ``[[HH:]MM:]SS[.ms]``; None where none."""
    if value is None:
        return None
    match = _DURATION.match(value)
    if match is None:
        raise ValueError(f"{value!r} is not a duration")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)


def size(value: str | None) -> int | None:
    """Bytes of ``4488kb``; a word (``kw``) is eight of them. None where none."""
    if value is None:
        return None
    match = _SIZE.match(value.lower())
    if match is None:
        raise ValueError(f"{value!r} is not a size")
    return (int(match[1]) << 10 * " kmgtp".index(match[2] or " ")) * (8 if match[3] == "w" else 1)


def hosts(value: str | None) -> tuple[str, ...]:
    """The hosts of ``n1/0*2+n2/0-3``, each once, in order."""
    parts = (value or "").split("+")
    return tuple(dict.fromkeys(name for part in parts if (name := part.partition("/")[0].strip())))


def clock(seconds: float) -> str:
    """``HH:MM:SS``, rounded up to seconds; there may be more than 99 hours."""
    whole = max(1, int(-(-seconds // 1)))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
