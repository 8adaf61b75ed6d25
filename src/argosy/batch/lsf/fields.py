"""How LSF's commands write single values: ids, times, hosts, "nothing"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

#: One job, or one element of an array.
ID = re.compile(r"[1-9]\d{0,17}(?:\[[1-9]\d{0,8}\])?\Z", re.ASCII)

_INDEX = re.compile(r"\d{1,9}\Z", re.ASCII)
_NOTHING = frozenset({"", "-"})
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
# "Nov 21 10:45", "Sat Nov 21 10:45:41", "Nov 21 10:45:41 2026", "Nov 21 10:45:41 L" (a limit), "... E" (estimated).
_WORDS = re.compile(
    r"(?:[A-Z][a-z]{2} +)?(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) +(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2}))?(?: +(?P<year>\d{4}))?(?: +[A-Z])?\Z",
    re.ASCII,
)
# "11/21-10:45:43"
_NUMBERS = re.compile(
    r"(?:(?P<year>\d{4})/)?(?P<month>\d{1,2})/(?P<day>\d{1,2})-(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2}))?\Z",
    re.ASCII,
)
_DAY = 86_400.0


def text(value: str) -> str | None:
    """The value without blanks around it, None where it is one of LSF's words for nothing."""
    stripped = value.strip()
    return None if stripped in _NOTHING else stripped


def time(value: str, now: float | None, *, future: bool = False) -> float | None:
    """Seconds since the epoch of a time in UTC.

    LSF leaves the year away: it is the latest one that does not put the time after `now`, or with `future` the earliest
    that does not put it before; None where `now` is not known either, or there is no time in the value.
    """
    match = _WORDS.match(value.strip()) or _NUMBERS.match(value.strip())
    if match is None:
        return None
    month = int(match["month"]) if match["month"].isdecimal() else _MONTHS.get(match["month"], 0)
    if match["year"]:
        years: Sequence[int] = (int(match["year"]),)
    elif now is None:
        return None
    else:
        present = datetime.fromtimestamp(now, UTC).year
        # A leap day may be four years away, or eight.
        years = range(present, present + 9) if future else range(present + 1, present - 9, -1)
    for year in years:
        try:
            when = datetime(
                *(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), int(match["second"] or 0)),
                tzinfo=UTC,
            ).timestamp()
        except ValueError:
            continue
        if match["year"] or now is None or (when >= now - _DAY if future else when <= now + _DAY):
            return when
    return None


def hosts(value: str) -> tuple[str, ...]:
    """The hosts of ``2*vm:4*other`` or ``vm:vm``, each once."""
    if text(value) is None:
        return ()
    return tuple(dict.fromkeys(part.rpartition("*")[2] for part in value.strip().split(":") if part))


def base_id(native_id: str) -> str:
    """The id of the array that this is an element of, or its own."""
    return native_id.partition("[")[0]


def bases(ids: Sequence[str]) -> list[str]:
    """The jobs and arrays that these ids belong to, each once; what is no id is left out."""
    return list(dict.fromkeys(base_id(native_id) for native_id in ids if ID.match(native_id)))


def shown_id(base: str, index: str, wanted: frozenset[str] | set[str]) -> str | None:
    """Which of the wanted ids a line is about that names job `base` and, if anything, element `index`."""
    if _INDEX.match(index) and int(index) > 0 and (element := f"{base}[{int(index)}]") in wanted:
        return element
    return base if base in wanted else None
