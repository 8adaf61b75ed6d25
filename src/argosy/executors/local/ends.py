"""Learning of the ends of processes: one thread for all of them.

A process is watched through its pidfd, which an epoll reports when the process ends. The event loop's own reader
does the same at several times the cost for each process, and wakes a thread for each one that is begun.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable

from argosy.executors.ending import at_end

log = logging.getLogger(__name__)

#: Between looks at what has ended while much ends, in seconds: several are taken care of in one go then.
_INTERVAL = 0.002

#: How long the end of a program waits for a callback that is being run, in seconds.
_PATIENCE = 2.0

_lock = threading.Lock()
_ends: Ends | None = None


class Ends:
    """Calls what it was given when a process ends. Nothing is called twice."""

    def __init__(self) -> None:
        self._watched: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._stop, select.EPOLLIN)
        self._thread = threading.Thread(target=self._serve, name="argosy-ends", daemon=True)
        self._thread.start()
        at_end(self.close)

    def watch(self, pidfd: int, ended: Callable[[], None]) -> None:
        """Call `ended` in the thread of this object when the process has ended; it closes `pidfd`."""
        self._watched[pidfd] = ended
        # Once: a forked child may keep a copy of the descriptor open, which would report the end for ever.
        self._epoll.register(pidfd, select.EPOLLIN | select.EPOLLONESHOT)

    def close(self) -> None:
        """Call nothing any more. The processes go on."""
        if self._thread.is_alive():  # it is not in a forked child
            with contextlib.suppress(BlockingIOError):
                os.eventfd_write(self._stop, 1)
            self._thread.join(_PATIENCE)

    def _serve(self) -> None:
        looked = 0.0
        while True:
            found = self._epoll.poll()
            if (too_soon := looked + _INTERVAL - time.monotonic()) > 0:
                time.sleep(too_soon)
                found += self._epoll.poll(0)
            looked = time.monotonic()
            for fd, _ in found:
                if fd == self._stop:
                    return
                ended = self._watched.pop(fd, None)
                if ended is None:
                    continue
                try:
                    ended()
                except BaseException:  # whatever it was, the others are to be told of
                    log.exception("a defect in taking care of a process that has ended")


def ends() -> Ends:
    """The one object of this process, made when it is first asked for."""
    global _ends
    if _ends is None:
        with _lock:
            if _ends is None:
                _ends = Ends()
    return _ends


def _forget() -> None:
    # A forked child has none of the threads, and none of the processes are its children.
    global _ends, _lock
    _ends, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
