"""A process of gsissh as a channel: until the login shell runs what it is given, what is printed is not of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from typing import Any, cast

from argosy.transport.shell.sessions import Channel, Session

#: So much of what comes before is kept, from its end.
_KEPT = 8192


class Child(asyncio.SubprocessProtocol, Channel):
    """Tells `session` what the process tells. `begun` is done when the login shell has begun, or cannot any more."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._mark = secrets.token_hex(16)
        self._before = (bytearray(), bytearray())
        self._process: asyncio.SubprocessTransport | None = None
        self.begun: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def line(self, line: str) -> str:
        """`line`, with the sign before it by which its beginning is known. Any login shell reads it."""
        return f"echo {self._mark}; {line}"

    @property
    def words(self) -> bytes:
        """What was printed on standard error before the login shell began."""
        return bytes(self._before[1])

    @property
    def signal(self) -> int | None:
        """By what signal the program was ended."""
        code = None if self._process is None else self._process.get_returncode()
        return -code if code is not None and code < 0 else None

    @property
    def status(self) -> int | None:
        """With what the login shell has ended; None where the program, or its connection, has."""
        code = None if self._process is None else self._process.get_returncode()
        return None if code is None or code < 0 or code == 255 else code

    # -- what asyncio tells -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._session.began(self)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        error = fd == 2
        if self.begun.done():
            self._session.received(data, error=error)
            return
        before = self._before[error]
        before += data
        if not error:
            _, mark, rest = bytes(before).partition(f"{self._mark}\n".encode())
            if mark:
                self.begun.set_result(True)
                if rest:
                    self._session.received(rest, error=False)
        del before[:-_KEPT]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._process is not None:
            self._process.close()
        if not self.begun.done():
            self.begun.set_result(False)
        self._session.ended(self.status)
        if not self.gone.done():
            self.gone.set_result(None)

    # -- what the session wants -------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        pipe: Any = None if self._process is None else self._process.get_pipe_transport(0)
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)

    def abort(self) -> None:
        process = self._process
        if process is None or process.get_returncode() is not None:
            return
        # It leads a session of its own: what it has started, a ProxyCommand say, goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.get_pid(), signal.SIGKILL)
