"""When a command that looks after a job is to end it: at the first Ctrl-C, or when time is up."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from types import FrameType, TracebackType


class Interrupted(Exception):
    """The user does not want to wait any longer."""


class ToEnd(Exception):
    """The job is to be ended; raised by `Interrupts.check` to get out of what is under way."""


class Interrupts:
    """``with Interrupts(timeout) as interrupts``: the first Ctrl-C is remembered, the second raises Interrupted.

    SIGTERM counts as Ctrl-C does. Whatever may take long looks at `asked`, or calls `check`.
    """

    def __init__(self, timeout: float | None) -> None:
        self.count = 0
        self._deadline = None if timeout is None else time.monotonic() + timeout

    @property
    def late(self) -> bool:
        """Whether time is up."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def asked(self) -> bool:
        """Whether the job is to be ended."""
        return bool(self.count) or self.late

    def check(self, *moved: int) -> None:
        """Raise ToEnd where the job is to be ended. To be called in between, also as what follows bytes that move."""
        if self.asked:
            raise ToEnd

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
        if self.count > 1:
            raise Interrupted
        with contextlib.suppress(OSError):  # nobody reads stderr: then nobody need be told
            os.write(2, b"argosy: ending the job; once more to leave it ending\n")

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
