"""What a caller may have of the service at once: the section ``[limits]`` of the configuration, and a token bucket.

They are published in the service's document. What exceeds one is refused with the time after which to ask again, and
nothing of it is recorded.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta, Struct

from argosy.model import TooLarge

_Size = Annotated[int, Meta(ge=1)]
_Count = Annotated[int, Meta(ge=0)]
_Rate = Annotated[float, Meta(ge=0)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """0 is no limit, but for `body`, `vector` and `vector_body`. All but those and the connections are for each caller
    by itself."""

    body: _Size = 16 * 1024 * 1024
    """The longest JSON body or description, in bytes; also that of one in a vector."""
    vector_body: _Size = 64 * 1024 * 1024
    """The longest body of a vector of creations, in bytes."""
    vector: _Size = 10_000
    """The most elements in one request."""
    unfinished: _Count = 100_000
    """The most activities that have not ended."""
    sessions: _Count = 1_000_000
    """The most session directories: activities that were not purged."""
    rate: _Rate = 5_000.0
    """Requests a second, on average."""
    burst: _Count = 10_000
    """Requests that may come at once after a pause, over that rate."""
    requests: _Count = 1_000
    """The most requests under way at a time, streams not counted."""
    streams: _Count = 250
    """The most event streams and long polls at a time."""
    connections: _Count = 4096
    """The most TCP connections of all clients; no more than the files that the process may have open allow."""
    connections_per_address: _Count = 512
    """The most TCP connections from one address."""


def too_many(count: int | None, most: int) -> TooLarge:
    """What is answered to a vector of more than `most` elements; `count` where not all of them were counted is None."""
    found = f"more than {most}" if count is None else str(count)
    return TooLarge(f"{found} elements in one request; the most are {most}, the limit `vector`: send them in parts")


class Bucket:
    """A token bucket: `burst` tokens at most, `rate` new ones a second, one for each request.

    Pure: it is told the time, in seconds of a clock that does not go back.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = max(1.0, burst)
        self._tokens = self.burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token. 0 where there was one; otherwise the seconds until there is."""
        self._fill(now)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.rate

    def left(self, now: float) -> int:
        """The tokens that are there."""
        self._fill(now)
        return int(self._tokens)

    def full_in(self, now: float) -> int:
        """The whole seconds until it is full."""
        self._fill(now)
        return math.ceil((self.burst - self._tokens) / self.rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
