"""The thread in which status callbacks are called, one after the other and in the order of the changes.

It is not the thread of the event loop: a callback may submit another job, or wait for one, and holds up nothing but
other callbacks meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from .ending import at_end

log = logging.getLogger(__name__)

#: How long the end of a program may be held up by callbacks that are still to be called, in seconds.
_PATIENCE = 2.0

_lock = threading.Lock()
_queue: SimpleQueue[Callable[[], object]] = SimpleQueue()
_thread: threading.Thread | None = None


def enqueue(call: Callable[[], object]) -> None:
    """Call `call` in the callbacks' thread, after all that were enqueued before."""
    if _thread is None and not _start():
        call()
        return
    _queue.put(call)


def flush(timeout: float) -> None:
    """Wait until what was enqueued so far has been called, `timeout` seconds at most. In a callback: do nothing."""
    if _thread is None or threading.current_thread() is _thread:
        return
    done = threading.Event()
    _queue.put(done.set)
    done.wait(timeout)


def _start() -> bool:
    """Whether there is a thread; there is none to be had any more when the interpreter ends."""
    global _thread
    with _lock:
        if _thread is None:
            thread = threading.Thread(target=_serve, args=(_queue,), name="argosy-callbacks", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            at_end(partial(flush, _PATIENCE))
            _thread = thread
    return True


def _serve(queue: SimpleQueue[Callable[[], object]]) -> None:
    while True:
        call = queue.get()
        try:
            call()
        except BaseException:  # whatever it was, all others are to be called
            log.exception("a defect in telling of a status change")
        del call  # what it refers to must not live until the next one


def _forget() -> None:
    # A forked child has the queue of its parent, but not its thread.
    global _thread, _queue, _lock
    _thread, _queue, _lock = None, SimpleQueue(), threading.Lock()


os.register_at_fork(after_in_child=_forget)
