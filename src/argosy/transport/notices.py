"""What the kernel tells of directories of this machine (inotify(7)): one instance for each event loop.

A user may have only so many instances (128 by default), and a program may have many executors, each with a spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable

from asyncinotify import Inotify, Mask, Watch

log = logging.getLogger(__name__)

Changed = Callable[[], None]


class Notices:
    """The directories that are watched in one event loop."""

    def __init__(self) -> None:
        self._inotify = Inotify()
        self._watches: dict[str, tuple[Watch, list[Changed]]] = {}
        self._task = asyncio.create_task(self._listen())

    @property
    def closed(self) -> bool:
        """Whether nobody listens any more."""
        return self._task.done()

    def add(self, directory: str, changed: Changed) -> Callable[[], None]:
        """Call `changed` after files appear in the directory, until the returned function is called. Raises OSError."""
        if directory not in self._watches:
            self._watches[directory] = (self._inotify.add_watch(directory, Mask.MOVED_TO | Mask.CREATE), [])
        self._watches[directory][1].append(changed)

        def stop() -> None:
            watch, listeners = self._watches.get(directory, (None, []))
            if changed in listeners:
                listeners.remove(changed)
                if not listeners and watch is not None:
                    del self._watches[directory]
                    with contextlib.suppress(OSError):  # the directory is gone, and the watch with it
                        self._inotify.rm_watch(watch)

        return stop

    async def _listen(self) -> None:
        try:
            while True:
                event = await self._inotify.get()
                # Without a watch it says that events were lost: then everybody is told.
                of = None if event.watch is None else str(event.watch.path)
                for directory, (_, listeners) in list(self._watches.items()):
                    if of is None or of == directory:
                        for changed in list(listeners):
                            _tell(changed)
        finally:
            self._inotify.close()


def _tell(changed: Changed) -> None:
    try:
        changed()
    except Exception:
        log.exception("a defect in what is called when a directory has changed")


_of_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Notices] = weakref.WeakKeyDictionary()


def notices() -> Notices:
    """Those of the running loop. Raises OSError where the user has no instance left."""
    loop = asyncio.get_running_loop()
    found = _of_loop.get(loop)
    if found is None or found.closed:
        found = _of_loop[loop] = Notices()
    return found
