"""What gsissh itself has to say while it logs in, apart from what is printed on the host."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType

from argosy.model import Unavailable

#: So much of it is kept: as much as a pipe holds.
_KEPT = 65536


class Log:
    """A named pipe, as gsissh closes all that it inherits; nobody reads it once the login is over, and what is said
    from then on is lost."""

    def __init__(self) -> None:
        try:
            self._directory = tempfile.mkdtemp(prefix="argosy-gsissh-")
            self.path = os.path.join(self._directory, "log")
            os.mkfifo(self.path, 0o600)
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(f"there is no place for what gsissh says: {error}") from error

    def __enter__(self) -> Log:
        return self

    def read(self) -> bytes:
        """All of it, once the program has ended."""
        try:
            return os.read(self._fd, _KEPT)
        except BlockingIOError:  # something that it has started is still there, and has said nothing
            return b""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        os.unlink(self.path)
        os.rmdir(self._directory)
