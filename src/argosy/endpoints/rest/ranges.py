"""Conditional and partial requests for one file (RFC 9110, sections 13 and 14), as a pure decision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

from msgspec import structs

from argosy.service.files.conditions import Conditions, tagged

_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*\Z", re.ASCII | re.IGNORECASE)
#: A number of more digits is past the end of any file, and is not read: it may have very many (RFC 9110, 14.1.2).
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Part:
    """What to answer: a status, and the bytes from `start` to `end` (exclusive) where the answer has a body."""

    status: HTTPStatus
    start: int = 0
    end: int = 0


#: The first second of the year 1 and the last of 9999.
_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.0


def as_date(seconds: float) -> datetime:
    """A time that a user has chosen, of a file or in a token: any number, and no number at all."""
    return datetime.fromtimestamp(min(max(seconds, _FIRST), _LAST) if seconds == seconds else 0.0, UTC)


def http_date(seconds: float) -> str:
    """An IMF-fixdate."""
    return format_datetime(as_date(seconds).replace(microsecond=0), usegmt=True)


def conditions(headers: Mapping[str, str]) -> Conditions:
    """What the headers (names in lower case) want to be so before anything is done. A date that is none is ignored."""
    since = headers.get("if-unmodified-since")
    return Conditions(
        match=headers.get("if-match"),
        none_match=headers.get("if-none-match"),
        unmodified_since=None if since is None else _date(since),
    )


def decide(headers: Mapping[str, str], *, size: int, etag: str, modified: float, head: bool = False) -> Part:
    """What to answer to a GET or HEAD with these headers (names in lower case). `etag` has its quotes."""
    asked = conditions(headers)
    if not structs.replace(asked, none_match=None).hold(etag, modified):
        return Part(HTTPStatus.PRECONDITION_FAILED)
    if asked.none_match is not None:
        if tagged(asked.none_match, etag, weak=True):
            return Part(HTTPStatus.NOT_MODIFIED)
    elif "if-modified-since" in headers:
        since = _date(headers["if-modified-since"])
        if since is not None and int(modified) <= since:
            return Part(HTTPStatus.NOT_MODIFIED)
    whole = Part(HTTPStatus.OK, 0, size)
    if head or "range" not in headers or not _same(headers.get("if-range"), etag, modified):
        return whole
    return _part(headers["range"], size) or whole


def _part(value: str, size: int) -> Part | None:
    """The part that a Range header asks for; None where the answer is the whole.

    That is so where it is not understood, asks for several, is none (a last byte before the first one), or asks for the
    end of an empty file: there is one, and no way to write it as a part.
    """
    match = _RANGE.match(value.strip())
    if match is None:
        return None
    first, last = match[1].lstrip("0") or match[1][:1], match[2].lstrip("0") or match[2][:1]
    if not first and not last:
        return None
    if not first:
        if not size and last != "0":
            return None
        start, end = size - min(_number(last), size), size
    else:
        if last and (len(last), last) < (len(first), first):
            return None
        start, end = _number(first), min(_number(last) + 1, size) if last else size
    if start >= end:
        return Part(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return Part(HTTPStatus.PARTIAL_CONTENT, start, end)


def _number(digits: str) -> int:
    """What they say; of too many digits a number that is as good as theirs."""
    return int(digits) if len(digits) <= _MAX_DIGITS else int("9" * _MAX_DIGITS)


def _same(if_range: str | None, etag: str, modified: float) -> bool:
    if if_range is None:
        return True
    if if_range.startswith('"'):
        return if_range.strip() == etag
    date = _date(if_range)
    return date is not None and date == int(modified)


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
