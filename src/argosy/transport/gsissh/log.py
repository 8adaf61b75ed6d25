"""What gsissh itself has to say while it logs in, apart from what is printed on the host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from types import TracebackType

from argosy.model import Unavailable

#: So much of it is kept, from its end; at least what a pipe holds.
_KEPT = 65536
#: With this the host has let in whoever asks; it is in a line of its own.
_LET_IN = re.compile(rb"^Authenticated to ", re.MULTILINE)


class Log:
    """A named pipe, as gsissh closes all that it inherits. It is read all along, as the program waits where it is full;
    nobody reads it once the login is over, and what is said from then on is lost."""

    def __init__(self, let_in: Callable[[], None]) -> None:
        """`let_in` is called, maybe more than once, when the host has let in whoever asks."""
        self._let_in = let_in
        self._said = bytearray()
        self._whole = True
        with contextlib.ExitStack() as made:
            try:
                directory = tempfile.mkdtemp(prefix="argosy-gsissh-")
                made.callback(shutil.rmtree, directory)
                self.path = os.path.join(directory, "log")
                os.mkfifo(self.path, 0o600)
                self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                made.callback(os.close, self._fd)
                # With a writer of our own it has no end, which would be told again and again.
                made.callback(os.close, os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            except OSError as error:
                raise Unavailable(f"there is no place for what gsissh says: {error}") from error
            loop = asyncio.get_running_loop()
            loop.add_reader(self._fd, self._more)
            made.callback(loop.remove_reader, self._fd)
            self._made = made.pop_all()

    def __enter__(self) -> Log:
        return self

    def read(self) -> bytes:
        """Its last lines, once the program has ended."""
        self._more()
        return bytes(self._said) if self._whole else bytes(self._said).partition(b"\n")[2]

    def _more(self) -> None:
        try:
            self._said += os.read(self._fd, _KEPT)
        except BlockingIOError:
            return
        if _LET_IN.search(self._said):
            self._let_in()
        if len(self._said) > _KEPT:
            self._whole = False
            del self._said[:-_KEPT]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.close()
