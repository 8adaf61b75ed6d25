"""The end of the program: what the library does then, and when that is.

`atexit` calls first what was registered last. This module is imported with `Job`, before a program can have one: what a
program registers after that can still wait for its jobs, however late the library has begun to watch them.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable

_steps: list[Callable[[], object]] = []
_over = False


def at_end(step: Callable[[], object]) -> None:
    """Call `step` when the program ends, before all that were registered earlier."""
    _steps.append(step)


def is_over() -> bool:
    """Whether the program has come to its end, and jobs are followed no longer."""
    return _over


def _end() -> None:
    global _over
    for step in reversed(_steps):
        step()
    _over = True


atexit.register(_end)
