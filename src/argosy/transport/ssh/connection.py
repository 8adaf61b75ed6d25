"""One ssh connection to one host as one user, with all its channels; made again when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncssh

from argosy.model import Unavailable
from argosy.transport.shell.connection import DIAL_TIMEOUT, Connection, SessionT
from argosy.transport.shell.target import Target

from .channel import SSHChannel
from .dial import dial

log = logging.getLogger(__name__)

#: Channels at once. sshd allows 10 by itself (sshd_config(5), MaxSessions); where it allows fewer, that is learned.
_CHANNELS = 8


class SSHConnection(Connection):
    """A multiplexed connection."""

    def __init__(self, target: Target) -> None:
        super().__init__(str(target), "ssh", _CHANNELS)
        self._target = target
        self._open: asyncssh.SSHClientConnection | None = None
        self._dialing: asyncio.Task[asyncssh.SSHClientConnection] | None = None

    async def _connected(self) -> asyncssh.SSHClientConnection:
        if self._open is not None and not self._open.is_closed():
            return self._open
        if self._dialing is None:
            self._dialing = asyncio.create_task(self._dial(self._backoff.wait()))
            self._dialing.add_done_callback(self._dialed)
        return await asyncio.shield(self._dialing)

    def _lasts(self, connection: object) -> bool:
        return self._open is connection

    async def _dial(self, wait: float) -> asyncssh.SSHClientConnection:
        if wait > 0:
            await asyncio.sleep(wait)
        made: list[asyncssh.SSHClientConnection] = []

        def lost(error: Exception | None) -> None:
            if made and self._open is made[0]:
                self._open = None
                if error is not None:
                    log.warning("the ssh connection to %s is lost: %s", self.where, error)

        try:
            async with asyncio.timeout(DIAL_TIMEOUT):
                connection = await dial(self._target, lost)
        except TimeoutError:
            raise Unavailable(f"{self.where} cannot be reached through ssh within {DIAL_TIMEOUT:g} s") from None
        made.append(connection)
        if connection.is_closed():
            raise Unavailable(f"the ssh connection to {self.where} was lost as soon as it was made")
        self._open = connection
        self._slots.anew()
        return connection

    def _dialed(self, task: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._dialing = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._backoff.went_well()
        elif isinstance(error, Exception):
            self._backoff.failed(error)

    async def _open_channel(self, connection: object, line: str, factory: Callable[[], SessionT]) -> SessionT | None:
        assert isinstance(connection, asyncssh.SSHClientConnection)
        session = factory()
        try:
            await connection.create_session(
                lambda: SSHChannel(session),
                line,
                encoding=None,
                request_pty=False,
                x11_forwarding=False,
                # Nothing of this process's environment goes there, whatever SendEnv says.
                env=None,
                send_env=None,
            )
        except asyncssh.ChannelOpenError as error:
            # A connection that has just broken says the same as a host that gives no more channels, and is taken for
            # closed only in the loop's next round.
            await asyncio.sleep(0)
            if self._open is connection and not connection.is_closed():
                self._slots.refused(error.reason, self.where)
            return None
        except (asyncssh.Error, OSError) as error:
            raise Unavailable(f"the ssh connection to {self.where} was lost: {error}") from error
        self._opened(session)
        return session

    async def close(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
        if self._open is not None:
            self._open.close()
            self._open = None
