"""Functions that templates of submit scripts may call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from argosy.model import JobAttributes


def walltime_to_minutes(walltime: timedelta | int | str) -> int:
    """The wall time in minutes, rounded up: a `timedelta`, minutes, or a text (`JobAttributes.parse_walltime`)."""
    if isinstance(walltime, int):
        return walltime
    if isinstance(walltime, str):
        walltime = JobAttributes.parse_walltime(walltime)
    return -(-walltime // timedelta(minutes=1))


#: By name, as the templates know them.
ALL: dict[str, Callable[..., Any]] = {"walltime_to_minutes": walltime_to_minutes}
