"""How far something long is, on one line of a terminal that is overwritten and goes away. Elsewhere nothing is said."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from .tables import printable, shortened
from .units import size, span

#: Not more often than this many seconds: telling costs more than what is told.
_AGAIN = 0.2
#: What is over sooner than this needs no telling.
_SILENT = 1.0
#: On a terminal waiting is told of so often.
_LOOK = 2.0
T = TypeVar("T")


class Progress:
    """``with Progress() as progress: progress.tell("3 of 7")``."""

    def __init__(self) -> None:
        self._shown = False
        self._on = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = time.monotonic() + _SILENT
        self._begun = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def tell(self, text: str) -> None:
        """Show this in place of what was shown, unless something was shown just before."""
        now = time.monotonic()
        if not self._on or now < self._next:
            return
        self._next = now + _AGAIN
        self._shown = True
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[K{shortened(printable(text), width)}")
        sys.stderr.flush()

    def await_end(self, wait: Callable[[float | None], T], look: Callable[[], str], timeout: float | None) -> T:
        """What `wait` returns, which is called with a time to wait for and raises TimeoutError after it.

        On a terminal it is called again and again, and `look` says in between how far it is; and everywhere, in a
        TimeoutError, how far it was when time was up.
        """
        try:
            return self._await_end(wait, look, timeout)
        except TimeoutError:
            raise TimeoutError(f"time is up: {look()}") from None

    def _await_end(self, wait: Callable[[float | None], T], look: Callable[[], str], timeout: float | None) -> T:
        if not self._on:
            return wait(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if left is not None and left <= _LOOK:
                return wait(left)
            try:
                return wait(_LOOK)
            except TimeoutError:
                self.tell(f"{look()}, waited {span(time.monotonic() - self._begun)}")

    def clear(self) -> None:
        """Take it away, before something else is written."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()


@contextmanager
def moving(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """What is to be called with the bytes that a file has moved so far."""
    begun = time.monotonic()
    with Progress() as progress:

        def tell(moved: int) -> None:
            rate = moved / max(time.monotonic() - begun, 0.001)
            of = "" if not total else f" of {size(total)} ({moved / total:.0%})"
            progress.tell(f"{what}: {size(moved)}{of}, {size(int(rate))}/s")

        yield tell
