"""How Slurm's commands write single values: ids, times, durations, sizes, "nothing"."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: One job or one element of an array; of a heterogeneous job, ``12+1``, which Argosy never submits. A number too large
#: for Slurm is none: squeue would then answer for no job at all, and scancel could mean another job.
ID = re.compile(r"(?:\d{1,9}|[1-3]\d{9}|4[01]\d{8}|42[0-8]\d{7})(?:_\d{1,8})?\Z", re.ASCII)

_ARRAY = re.compile(r"(\d+)(?:_\[?([\d,-]*)(?:%\d+)?\]?)?\Z", re.ASCII)
_NOTHING = frozenset({"", "n/a", "none", "none assigned", "(null)", "unknown"})
_NO_LIMIT = frozenset({"unlimited", "infinite", "partition_limit"})
_DURATION = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(?:(\d+):)?(\d+)(?:\.(\d+))?\Z", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]?)[cn]?\+?\Z", re.ASCII)
_GPUS = re.compile(r"gpu(?::[^:,()]+)?:(\d+)", re.ASCII)


def text(value: str) -> str | None:
    """The value, None where it is one of Slurm's words for nothing."""
    return None if value.strip().lower() in _NOTHING else value


def time(value: str) -> float | None:
    """A time written as seconds since the epoch. Raises ValueError for another form."""
    if text(value) is None or value == "0":
        return None
    return float(int(value))


def duration(value: str) -> int | None:
    """Seconds of ``[D-][[HH:]MM:]SS[.mmm]``, or of ``D-HH[:MM]``; None for no limit or nothing."""
    if text(value) is None or value.lower() in _NO_LIMIT:
        return None
    match = _DURATION.match(value)
    if match is None:
        raise ValueError(f"{value!r} is not a duration")
    parts = [int(part) for part in match.groups()[1:4] if part is not None]
    if match[1] is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return int(match[1]) * 86_400 + hours * 3600 + minutes * 60 + seconds
    total = 0
    for part in parts:
        total = total * 60 + part
    return total


def cpu_seconds(value: str) -> float | None:
    """Seconds of ``[D-][HH:]MM:SS[.mmm]``, with their fraction."""
    whole = duration(value)
    fraction = value.partition(".")[2]
    return None if whole is None else whole + (float(f"0.{fraction}") if fraction else 0.0)


def size(value: str) -> int | None:
    """Bytes of ``10556K``; a number without a unit is bytes."""
    if text(value) is None:
        return None
    match = _SIZE.match(value)
    if match is None:
        raise ValueError(f"{value!r} is not a size")
    return int(float(match[1]) * 1024 ** " KMGTPE".index(match[2] or " "))


def gpus(gres: str) -> int:
    """The GPUs in a list of generic resources, e.g. ``gpu:tesla:2(S:0-1),lustre:1``."""
    return sum(int(match[1]) for match in _GPUS.finditer(gres) if _starts_item(gres, match.start()))


def _starts_item(gres: str, at: int) -> bool:
    return at == 0 or gres[at - 1] == ","


def elements(named: str, ids: Sequence[str]) -> list[str]:
    """Those of `ids` that Slurm means by `named`: ``7`` a job or all of an array, ``7_1``, ``7_[1,3-5%2]`` elements."""
    match = _ARRAY.match(named)
    if match is None:
        return []
    base, indices = match.groups()
    of_base = [native_id for native_id in ids if native_id == base or native_id.startswith(base + "_")]
    if not indices:
        return of_base
    ranges = [
        (first, last or first) for first, _, last in (part.partition("-") for part in indices.split(",")) if first
    ]
    return [
        native_id
        for native_id in of_base
        if native_id == base
        or any(int(first) <= int(native_id.partition("_")[2]) <= int(last) for first, last in ranges)
    ]
