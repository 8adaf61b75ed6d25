"""A channel of an ssh connection, for whatever session is at work on it."""

from __future__ import annotations

import contextlib

import asyncssh

from argosy.transport.shell.sessions import Channel, Session


class SSHChannel(asyncssh.SSHClientSession[bytes], Channel):
    """Tells `session` what the connection tells."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self._session.began(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        assert self._channel is not None
        self._session.ended(self._channel.get_exit_status())

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._session.received(data, error=datatype is not None)

    def write(self, data: bytes) -> None:
        assert self._channel is not None
        with contextlib.suppress(OSError):
            self._channel.write(data)

    def abort(self) -> None:
        assert self._channel is not None
        self._channel.abort()
