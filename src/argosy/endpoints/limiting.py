"""What each caller may ask of the endpoints at once: rate, requests under way, streams. One event loop, no waiting."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from argosy.model import LimitExceeded
from argosy.service.administration.limits import Bucket, Limits

#: So many callers are remembered before those are forgotten who ask for nothing now and have all their tokens.
_MANY = 10_000
#: When to ask again where too much is under way, in seconds.
_SOON = 1.0


class _Caller:
    __slots__ = ("bucket", "requests", "streams")

    def __init__(self, bucket: Bucket | None) -> None:
        self.bucket = bucket
        self.requests = 0
        self.streams = 0


class Callers:
    """All callers of the endpoints of one process."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._callers: dict[str, _Caller] = {}

    def enter(self, name: str, *, stream: bool) -> None:
        """A request begins. Raises LimitExceeded, with the time after which to ask again; it has not begun then.

        `stream`: an event stream or a long poll. Each request that has begun ends with `leave`.
        """
        caller = self._callers.get(name)
        if caller is None:
            caller = self._new(name)
        if caller.bucket is not None and (wait := caller.bucket.take(self._clock())) > 0:
            words = f"more than {self.limits.rate:g} requests a second; ask again in {max(1, math.ceil(wait))} s"
            raise LimitExceeded(words, retry_after=wait)
        if stream:
            if self.limits.streams and caller.streams >= self.limits.streams:
                words = f"you have {caller.streams} event streams and long polls, the most that you may; close some"
                raise LimitExceeded(words, retry_after=_SOON)
            caller.streams += 1
        else:
            if self.limits.requests and caller.requests >= self.limits.requests:
                words = f"you have {caller.requests} requests under way, the most that you may; wait for their answers"
                raise LimitExceeded(words, retry_after=_SOON)
            caller.requests += 1

    def leave(self, name: str, *, stream: bool) -> None:
        """A request that had begun has ended."""
        caller = self._callers[name]
        if stream:
            caller.streams -= 1
        else:
            caller.requests -= 1

    def headers(self, name: str) -> list[tuple[bytes, bytes]]:
        """What a caller is told of its rate (draft-ietf-httpapi-ratelimit-headers-10)."""
        caller = self._callers.get(name)
        if caller is None or caller.bucket is None:
            return []
        now, bucket = self._clock(), caller.bucket
        window = max(1, math.ceil(bucket.burst / bucket.rate))
        return [
            (b"ratelimit-policy", b'"requests";q=%d;w=%d' % (bucket.burst, window)),
            (b"ratelimit", b'"requests";r=%d;t=%d' % (bucket.left(now), bucket.full_in(now))),
        ]

    def streams(self) -> int:
        """The event streams and long polls of all callers."""
        return sum(caller.streams for caller in self._callers.values())

    def _new(self, name: str) -> _Caller:
        now = self._clock()
        if len(self._callers) >= _MANY:
            self._callers = {
                key: one
                for key, one in self._callers.items()
                if one.requests or one.streams or (one.bucket is not None and one.bucket.full_in(now) > 0)
            }
        limits = self.limits
        made = _Caller(Bucket(limits.rate, limits.burst, now) if limits.rate else None)
        self._callers[name] = made
        return made
