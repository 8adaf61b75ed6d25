"""HTTP connections that know who is at the other end: the process behind a Unix socket, the certificates in TLS."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from argosy.identity import Evidence, SocketPeer

#: Where a request's scope has them: a SocketPeer, and a tuple of certificates in DER.
PEER = "argosy.peer"
CERTIFICATES = "argosy.certificates"

_UCRED = struct.Struct("3i")


class PeerProtocol(HttpToolsProtocol):
    """uvicorn's, with the peer of a connection in the scope of each request: who it was when it connected."""

    _seen: dict[str, Any]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._seen = {}
        peer = _peer(transport.get_extra_info("socket"))
        if peer is not None:
            self._seen[PEER] = peer
        certificates = getattr(transport.get_extra_info("ssl_object"), "peer_chain", ())
        if certificates:
            self._seen[CERTIFICATES] = certificates

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._seen:
            scope: Any = self.scope
            scope.update(self._seen)


def evidence(scope: Any, headers: Mapping[str, str]) -> Evidence:
    """What there is to know of a request's sender; the names of `headers` are in lower case."""
    client = scope.get("client")
    return Evidence(
        headers,
        certificates=scope.get(CERTIFICATES, ()),
        socket=scope.get(PEER),
        address=client[0] if client else None,
    )


def _peer(connection: Any) -> SocketPeer | None:
    """unix(7): SO_PEERCRED is a struct ucred of process, user and group."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return SocketPeer(pid, uid, gid)
