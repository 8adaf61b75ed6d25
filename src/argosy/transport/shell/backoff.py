"""When the next attempt at a connection may be made: after each that fails a longer wait."""

from __future__ import annotations

import asyncio

from argosy.model import Unavailable

#: The wait after a failed attempt doubles from the first to the last; after a refused login it begins higher, for
#: there are hosts that lock out who tries too often. Seconds.
_WAIT_FIRST = 0.5
_WAIT_REFUSED = 5.0
_WAIT_MOST = 60.0
#: A wait so short is waited out by whoever asks; during a longer one the answer is that the host is away.
_PATIENCE = 2.0


class LoginRefused(Unavailable):
    """The host was reached and does not let the user in, or cannot be believed to be that host."""


class Backoff:
    """The attempts at one host as one user."""

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._why = ""

    def wait(self) -> float:
        """How long to wait before the next attempt. Raises Unavailable where that is too long to be waited out."""
        wait = self._not_before - asyncio.get_running_loop().time()
        if wait > _PATIENCE:
            raise Unavailable(f"{self._why}. The next attempt is made in {wait:.0f} s")
        return wait

    def went_well(self) -> None:
        """An attempt has succeeded."""
        self._failures = 0

    def failed(self, error: Exception) -> None:
        """An attempt has failed."""
        first = _WAIT_REFUSED if isinstance(error, LoginRefused) else _WAIT_FIRST
        wait = min(first * 2**self._failures, _WAIT_MOST)
        self._failures = min(self._failures + 1, 10)
        self._not_before = asyncio.get_running_loop().time() + wait
        self._why = str(error)

    def at_once(self) -> None:
        """Something has changed that may let the next attempt succeed: it need not wait."""
        self._failures, self._not_before = 0, 0.0
