"""What becomes of a message after an attempt, as pure functions of what the receiver answered."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus

from argosy.store import Delivery

from .settings import NotificationConfig

#: The longest that a receiver can ask us to wait, in seconds.
_MOST_ASKED = 86_400.0
#: A message is given up after so many attempts at least, however long the service itself was away.
_ATTEMPTS = 3
#: How much of an answer is kept, in characters.
EXCERPT = 200


class Fate(Enum):
    """What becomes of a message."""

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD = "dead"
    GONE = "gone"
    """The receiver wants nothing more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. `status` is None where nothing answered; `words` say what was wrong, for people.

    It was not `sent` where that is for a reason that is no receiver's.
    """

    status: int | None
    words: str = ""
    retry_after: float | None = None
    """In seconds."""
    sent: bool = True


def fate(answer: Answer, delivery: Delivery, now: float, config: NotificationConfig) -> Fate:
    """What becomes of a message. Any answer but 2xx and 410 is a reason to try again (Standard Webhooks)."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Fate.DELIVERED
    if answer.status == HTTPStatus.GONE:
        return Fate.GONE
    if delivery.attempts + 1 >= _ATTEMPTS and now - delivery.created >= config.give_up_after:
        return Fate.DEAD
    return Fate.AGAIN


def pause(attempts: int, answer: Answer, config: NotificationConfig, jitter: float) -> float:
    """Seconds until the next attempt after `attempts` in vain; `jitter`, 0 to 1, takes up to half of it away."""
    wait = min(config.retry_first * 2.0 ** min(attempts - 1, 60), config.retry_most) * (1 - jitter / 2)
    return max(wait, min(answer.retry_after or 0.0, _MOST_ASKED))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that Retry-After asks for (RFC 9110, 10.2.3), None where it says nothing that can be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)


def answered(status: int, headers: Mapping[str, str], content: bytes, now: float) -> Answer:
    """What an HTTP answer comes to. A few words of its content are kept where it is a failure and a text."""
    if 200 <= status < 300:
        return Answer(status)
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    words = f"it answered {status} {phrase}".rstrip()
    if 300 <= status < 400:
        words += "; redirections are not followed"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/plain") or kind.endswith("json"):
        text = " ".join(_printable(content.decode(errors="replace")).split())
        if text:
            words += ": " + text[:EXCERPT]
    return Answer(status, words, retry_after(headers, now))


def _printable(text: str) -> str:
    return "".join(" " if unicodedata.category(one) in ("Cc", "Cf", "Cs") else one for one in text)
