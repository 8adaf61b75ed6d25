"""Blocking work in threads of staging's own, which a cancellation waits for."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


async def run(executor: Executor | None, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Run it in a thread. Cancelled, it waits for its end: what it works on must not be taken away before."""
    return await run_abortable(executor, functools.partial(function, *args, **kwargs))


async def run_abortable(
    executor: Executor | None, function: Callable[[], _R], abort: Callable[[], object] | None = None
) -> _R:
    """Run it in a thread. Cancelled, `abort` is called, which makes it end soon, and its end is waited for."""
    running = asyncio.get_running_loop().run_in_executor(executor, function)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if abort is not None and not running.done():
            abort()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # looked at: the cancellation is what is told
        raise
