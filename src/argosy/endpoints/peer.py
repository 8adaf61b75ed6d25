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

#: The longest request line with its headers (or trailers), in bytes. The longest that are good for anything hold a
#: chain of certificates, escaped as in a URL.
MAX_HEAD = 512 * 1024
#: How long they may take to come, in seconds; also how long a connection may say nothing at first.
HEAD_TIME = 60.0
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"  # RFC 6585, 5
)


class PeerProtocol(HttpToolsProtocol):
    """uvicorn's, with the peer of a connection in the scope of each request: who it was when it connected.

    The parser keeps what has come of the headers, however much that is, and waits for the rest as long as the client
    likes; nobody has shown yet who it is. Here both are bounded.
    """

    _seen: dict[str, Any]
    _kept = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()
        self._seen = {}
        peer = _peer(transport.get_extra_info("socket"))
        if peer is not None:
            self._seen[PEER] = peer
        certificates = getattr(transport.get_extra_info("ssl_object"), "peer_chain", ())
        if certificates:
            self._seen[CERTIFICATES] = certificates

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._kept += len(data)
        super().data_received(data)
        if self._kept > MAX_HEAD and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._go_on()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._go_on()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIME, self._too_slow)

    def _go_on(self) -> None:
        self._kept = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.close()

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
