"""The end of the program: what the library does then, and when that is.

`atexit` calls first what was registered last. This module is imported with `Job`, before a program can have one: what a
program registers after that can still wait for its jobs, however late the library has begun to watch them. Thread
pools have taken no more work for a while by then, and what needs them cannot follow jobs any more.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import weakref
from collections.abc import Callable

log = logging.getLogger(__name__)

_steps: list[Callable[[], object]] = []
_over = False
_pools_over = False


def at_end(step: Callable[[], object]) -> None:
    """Call `step` when the program ends, before all that were registered earlier."""
    _steps.append(step)


def is_over(*, with_pools: bool) -> bool:
    """Whether the program has come to its end, and jobs are followed no longer; `with_pools`: by thread pools."""
    if _over or not with_pools:
        return _over
    # The pools' own mark: theirs is the first step where they were imported last, and it waits for what they do.
    return _pools_over or getattr(sys.modules.get("concurrent.futures.thread"), "_shutdown", False)


def _end() -> None:
    global _over
    try:
        for step in reversed(_steps):
            try:
                step()
            except BaseException:  # whatever it was, the others are to be taken
                log.exception("a step at the end of the program failed")
    finally:
        _over = True


def _end_of_pools() -> None:
    global _pools_over
    _pools_over = True


# The first of these has all of them called when the program ends, after what is registered from here on: what the steps
# work with is not closed before them.
weakref.finalize(at_end, int)
atexit.register(_end)
# This has no public name; it is what makes thread pools end.
_register: Callable[[Callable[[], None]], object] = getattr(threading, "_register_atexit", atexit.register)
_register(_end_of_pools)
