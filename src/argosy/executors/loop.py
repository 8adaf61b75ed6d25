"""The one background event loop of a process that uses the library synchronously."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from .ending import at_end

T = TypeVar("T")

#: How long the end of a program may be held up by what watches its jobs, in seconds.
_PATIENCE = 2.0

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop, started in a daemon thread when it is first asked for."""
    global _loop
    if _loop is None:
        with _lock:
            if _loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_serve, args=(loop,), name="argosy", daemon=True)
                thread.start()
                at_end(partial(_end, loop, thread))
                _loop = loop
    return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """At the end of the program: jobs go on, what watched them stops without a word."""
    if not thread.is_alive():  # in a forked child
        return
    asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
    thread.join(_PATIENCE)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_PATIENCE / 2)
    asyncio.get_running_loop().stop()


def call(work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Run `work` in the background loop and wait for its result. Not to be called from a job's callback."""
    loop = background_loop()
    if is_background_loop():
        work.close()
        raise RuntimeError("this call waits for the thread that it was made from; use the asynchronous interface")
    return asyncio.run_coroutine_threadsafe(work, loop).result(timeout)


def is_background_loop() -> bool:
    """Whether this is the thread of the loop, which must not be kept waiting."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


def _forget() -> None:
    # A forked child has the memory of the loop but not its thread.
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
