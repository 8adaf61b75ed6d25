"""HTTP connections that know who is at the other end: the process behind a Unix socket, the certificates in TLS."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from argosy.identity import Evidence, SocketPeer

from .listening import Gatekeeper

#: Where a request's scope has them: a SocketPeer, and a tuple of certificates in DER.
PEER = "argosy.peer"
CERTIFICATES = "argosy.certificates"

_UCRED = struct.Struct("3i")

#: The longest request line with its headers (or trailers), in bytes. The longest that are good for anything hold a
#: chain of certificates, escaped as in a URL.
MAX_HEAD = 512 * 1024
#: How long they may take to come, in seconds; also how long a connection may say nothing at first.
HEAD_TIME = 60.0
#: How long nothing may come of a body while it is waited for, in seconds.
BODY_TIME = 60.0


def _refusal(status: int, code: str, detail: str) -> bytes:
    """A whole answer, before which there was no request."""
    title = HTTPStatus(status).phrase
    body = msgspec.json.encode({"title": title, "status": status, "detail": detail, "code": code})
    head = f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body


_TOO_LARGE = _refusal(431, "head-too-large", f"the head of a request is of {MAX_HEAD} bytes at most")  # RFC 6585, 5
_NO_HTTP = _refusal(400, "malformed", "this is no request in HTTP/1.1")


class PeerProtocol(HttpToolsProtocol):
    """uvicorn's, with the peer of a connection in the scope of each request: who it was when it connected.

    The parser keeps what has come of the headers, however much that is, and waits for the rest as long as the client
    likes; nobody has shown yet who it is. Here both are bounded, and that nothing comes of a body. `keeper` is
    told when a connection waits for its client.
    """

    keeper: Gatekeeper | None = None
    _seen: dict[str, Any]
    _kept = 0
    _deadline: asyncio.TimerHandle | None = None
    _pulse: asyncio.TimerHandle | None = None
    _in_body = False
    _came = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
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
            self._too_large()
        elif self._in_body and self._pulse is None:
            self._await_body()

    def _too_large(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        del msg
        self.transport.write(_NO_HTTP)
        self.transport.close()

    def on_headers_complete(self) -> None:
        # Of what came last some may belong to the body.
        if self._kept > MAX_HEAD and len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > MAX_HEAD:
            self._too_large()
            return
        self._go_on()
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._in_body:
            return  # of a request that was refused for its head
        self._kept = 0
        self._came = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._go_on()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self._in_body and self._deadline is None and not self.transport.is_closing():
            self._waits()

    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Another connection takes the place of this one, which has nothing under way."""
        self._go_on()
        self.transport.abort()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIME, self._too_slow)
        self._waits()

    def _waits(self) -> None:
        if self.keeper is not None and self._address:
            self.keeper.waits(self, self._address)

    def _await_body(self) -> None:
        self._came = self.loop.time()
        self._pulse = self.loop.call_later(BODY_TIME, self._feel)

    def _feel(self) -> None:
        """Close it where nothing has come of the body for so long, though the service would have taken it."""
        now = self.loop.time()
        if self.flow.read_paused:
            self._came = now
        if now - self._came >= BODY_TIME:
            self._pulse = None
            self.transport.close()
        else:
            self._pulse = self.loop.call_later(self._came + BODY_TIME - now, self._feel)

    def _go_on(self) -> None:
        self._kept = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None
        if self.keeper is not None:
            self.keeper.works(self)

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._seen:
            scope: Any = self.scope
            scope.update(self._seen)


def kept_by(keeper: Gatekeeper) -> type[PeerProtocol]:
    """The protocol for a server whose connections this gatekeeper counts."""
    return type("KeptProtocol", (PeerProtocol,), {"keeper": keeper})


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
