"""The one background event loop of a process that uses the library synchronously."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop, started in a daemon thread when it is first asked for."""
    global _loop
    if _loop is None:
        with _lock:
            if _loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(loop,), name="argosy", daemon=True).start()
                _loop = loop
    return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def call(work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Run `work` in the background loop and wait for its result. Not to be called from a job's callback."""
    loop = background_loop()
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is loop:
        work.close()
        raise RuntimeError("this call waits for the thread that it was made from; use the asynchronous interface")
    return asyncio.run_coroutine_threadsafe(work, loop).result(timeout)


def _forget() -> None:
    # A forked child has the memory of the loop but not its thread.
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
