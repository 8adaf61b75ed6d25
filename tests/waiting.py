"""Waiting for what is done elsewhere: in another process, or by other tasks."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

#: How long, in seconds: what is not so by then will not be.
LIMIT = 60.0
_PAUSE = 0.02

Say = str | Callable[[], str]


def until(condition: Callable[[], object], seconds: float = LIMIT, *, say: Say = "it") -> None:
    """Wait until a condition holds. `say`: what is waited for, or what there is to be told where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {say if isinstance(say, str) else say()}"
        time.sleep(_PAUSE)


async def until_async(
    condition: Callable[[], object | Awaitable[object]], say: Say = "it", seconds: float = LIMIT
) -> None:
    """The same, of a condition that may be asked with await; other tasks go on."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                answer = await answer
        if answer:
            return
        assert time.monotonic() < end, f"not within {seconds} s: {say if isinstance(say, str) else say()}"
        await asyncio.sleep(_PAUSE)
