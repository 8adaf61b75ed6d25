"""HTTP connections that know which process is at the other end of a Unix socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from argosy.identity import SocketPeer

#: Where a request's scope has it.
PEER = "argosy.peer"

_UCRED = struct.Struct("3i")


class PeerProtocol(HttpToolsProtocol):
    """uvicorn's, with the peer of a Unix socket in the scope of each request: who it was when it connected."""

    _peer: SocketPeer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._peer = _peer(transport.get_extra_info("socket"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._peer is not None:
            scope: Any = self.scope
            scope[PEER] = self._peer


def _peer(connection: Any) -> SocketPeer | None:
    """unix(7): SO_PEERCRED is a struct ucred of process, user and group."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return SocketPeer(pid, uid, gid)
