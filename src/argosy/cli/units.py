"""Sizes and times as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\Z", re.IGNORECASE | re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class Size(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """A size: ``4G`` is 4 times 1024 to the third, as batch systems count; a number alone is bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """In bytes."""
        match = _SIZE.match(str(value).strip())
        size = 0 if match is None else int(float(match[1]) * 1024 ** _POWERS[match[2].upper()])
        if size < 1:
            self.fail(f"{value!r} is no size; write e.g. 4G or 500M", param, ctx)
        return size


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A wall time: ``1:30:00``, ``90`` (minutes), ``90s``, ``15m``, ``2h``."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        from argosy.model import InvalidJobException, JobAttributes

        try:
            seconds = JobAttributes.parse_walltime(str(value)).total_seconds()
        except InvalidJobException as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail("it must be more than nothing", param, ctx)
        return seconds


class Lifetime(click.ParamType):  # type: ignore[type-arg]
    """How long something lives: a whole number with its unit, ``12h``, ``30d``, ``1y`` (of 365 days).

    With `zero` that may be not at all.
    """

    name = "time"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        match = re.fullmatch(r"(\d{1,6})([smhdy])", str(value).strip(), re.ASCII)
        if match is None or (int(match[1]) == 0 and not self._zero):
            self.fail(f"{value!r} is no such time; write e.g. 12h, 30d or 1y", param, ctx)
        return float(int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}[match[2]])


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A time: ``2h`` or ``7d`` ago, or RFC 3339."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """In RFC 3339."""
        text = str(value).strip()
        if re.fullmatch(r"\d{1,6}[smhdy]", text, re.ASCII):
            ago = Lifetime().convert(text, param, ctx)
            return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no time; write e.g. 2h (ago), 7d or 2024-05-01T12:00:00Z", param, ctx)
        return (when if when.tzinfo else when.astimezone()).isoformat(timespec="milliseconds")


def instant(text: str) -> datetime:
    """A time of the service's."""
    return datetime.fromisoformat(text)


def ago(text: str | None, now: datetime | None = None) -> str:
    """How long ago a time was, in words; ``-`` where there is none."""
    if text is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - instant(text)).total_seconds()
    if seconds < 0:
        return "in " + span(-seconds)
    return "just now" if seconds < 2 else span(seconds) + " ago"


def span(seconds: float) -> str:
    """A length of time in one unit, rounded down."""
    for unit, length in (("day", 86400), ("hour", 3600), ("min", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}" + ("s" if count > 1 and unit != "min" else "")
    return f"{int(seconds)} s"


def utc(text: str | None) -> str:
    """A time in full."""
    return "-" if text is None else instant(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: int | None) -> str:
    """A number of bytes, to three digits."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{int(value)} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
