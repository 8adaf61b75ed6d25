"""What a web server's answer means for a transfer. No input or output."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from argosy.staging.errors import Fault, TransferFailed

_TRANSIENT = frozenset({408, 421, 423, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)\Z")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MESSAGE = re.compile(r"<(?:\w+:)?Message>(.*?)</", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def failure(what: str, status: int, reason: str | None, headers: Mapping[str, str], body: str) -> TransferFailed:
    """The failure that a status stands for, in the server's words."""
    message = f"{what}: the server answers {status}"
    if reason:
        message += f" {reason}"
    if (words := said(body)) and words.lower() not in message.lower():
        message += f": {words}"
    if status in (404, 410):
        return TransferFailed(message, Fault.MISSING)
    if status in (401, 403, 407):
        # With 403 the server knows who asks; but expired signatures of presigned URLs answer so, too.
        return TransferFailed(message, Fault.CREDENTIAL if status == 401 or _is_expired(words) else Fault.REFUSED)
    if status == 412:
        return TransferFailed(message, Fault.EXISTS)
    if status in (413, 507):
        return TransferFailed(message, Fault.FULL)
    if status in _TRANSIENT:
        return TransferFailed(message, Fault.TRANSIENT, retry_after=retry_after(headers))
    if status == 400 and _is_expired(words):
        return TransferFailed(message, Fault.CREDENTIAL)
    return TransferFailed(message, Fault.REFUSED)


def _is_expired(words: str) -> bool:
    return "expired" in words.lower() or "ExpiredToken" in words


def said(body: str) -> str:
    """The first words of an answer's body, for people."""
    for pattern in (_MESSAGE, _TITLE):
        if found := pattern.search(body):
            body = found[1]
            break
    text = " ".join(_TAG.sub(" ", body).split())
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= 200 else text[:200] + "..."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return None


def validator(headers: Mapping[str, str]) -> str | None:
    """By which this very content is known again: its ETag, or the time of its last change (RFC 9110, 8.8).

    A time is one only where it lies before that of the answer by more than its own precision.
    """
    if etag := headers.get("ETag"):
        return etag
    changed = headers.get("Last-Modified")
    try:
        if changed and (parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(changed)).total_seconds() >= 2:
            return f"date {changed}"
    except (KeyError, ValueError, TypeError):
        pass
    return None


def go_on(known: str | None) -> str | None:
    """The If-Range with which a transfer goes on (RFC 9110, 13.1.5): no weak ETag; None where it cannot go on."""
    if known is None or known.startswith("W/"):
        return None
    return known.removeprefix("date ")


def only_changed(known: str) -> dict[str, str]:
    """The condition with which something is asked for only if it is no longer the same (RFC 9110, 13.1)."""
    if known.startswith("date "):
        return {"If-Modified-Since": known[5:]}
    return {"If-None-Match": known}


def part(value: str) -> tuple[int, int, int | None] | None:
    """First and last byte of a Content-Range, and how many there are in all."""
    found = _RANGE.match(value.strip())
    if found is None:
        return None
    return int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])


def length(headers: Mapping[str, str]) -> int | None:
    """Content-Length."""
    value = headers.get("Content-Length", "")
    return int(value) if value.isascii() and value.isdigit() else None


def tls_failure(what: str, error: ssl.SSLError) -> TransferFailed:
    """A failed handshake: a server that cannot be believed, or one that does not believe us."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransferFailed(f"{what}: its certificate is not trusted: {error.verify_message}", Fault.REFUSED)
    words = error.reason or str(error)
    if "CERTIFICATE_REQUIRED" in words:
        return TransferFailed(f"{what}: it wants a certificate, and none was shown: {words}", Fault.CREDENTIAL)
    if "ALERT" in words:
        return TransferFailed(f"{what}: our certificate is not accepted: {words}", Fault.CREDENTIAL)
    return TransferFailed(f"{what}: no secure connection: {words}", Fault.TRANSIENT)
