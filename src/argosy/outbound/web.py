"""A client for web servers that moves files: connections go to addresses that the policy has judged, and are kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from urllib.parse import quote

from argosy.model import InvalidInput

from .connect import connect
from .http1 import Connection, Headers, NoAnswer, WebFault
from .policy import OutboundPolicy
from .url import Url

__all__ = ["Answer", "Body", "Client", "WebFault"]

#: What a request's body comes from: made anew for each request that carries it.
Body = Callable[[], AsyncGenerator[bytes, None]] | Callable[[], bytes]

#: Connections that nobody uses, for each server.
_KEPT = 16
#: Connections are looked at no sooner again, in seconds.
_SOON = 0.01
#: Twice the same as once (RFC 9110, 9.2.2): asked again where a kept connection has ended meanwhile.
_AGAIN = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"})
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Answer:
    """What a server has answered. `headers` may be asked for in any case."""

    __slots__ = ("_connection", "headers", "reason", "status")

    def __init__(self, connection: Connection, headers: Headers) -> None:
        self._connection = connection
        self.status = connection.status
        self.reason = connection.reason
        self.headers = headers

    async def piece(self) -> bytes:
        """The next bytes of the body as they come; none at its end. Raises WebFault where it does not come whole,
        OSError, ssl.SSLError."""
        return await self._connection.piece()

    async def read(self, most: int | None = None) -> bytes:
        """The body, or so many bytes of it."""
        piece = await self._connection.piece()
        if most is None and self._connection.is_whole:
            return piece
        parts, size = [piece], len(piece)
        while piece and (most is None or size < most):
            piece = await self._connection.piece()
            parts.append(piece)
            size += len(piece)
        return b"".join(parts)[:most]

    def take(self) -> tuple[list[bytes], socket.socket] | None:
        """What has come of the body, and a socket from which the rest can be read as it is.

        None where there is none of this kind: it is encrypted, or in chunks. The connection is at an end after that.
        """
        connected = self._connection.info("socket")
        if connected is None or self._connection.secure or "Transfer-Encoding" in self.headers:
            return None
        early = self._connection.early()
        return early, socket.socket(fileno=os.dup(connected.fileno()))

    def close(self) -> None:
        """Do without the rest of it."""
        self._connection.close()


class Client:
    """Connections of one kind: with one configuration of TLS.

    `connecting` is how long a connection may take, `idle` for how long nothing may come or go, `keep` how long one
    stays that nobody uses; in seconds. The URL of each request must have been judged (`OutboundPolicy.check`).
    """

    def __init__(
        self, policy: OutboundPolicy, tls: ssl.SSLContext, *, connecting: float, idle: float, keep: float = 15.0
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._connecting = connecting
        self._idle = idle
        self._keep = keep
        self._timer: asyncio.TimerHandle | None = None
        self._kept: dict[tuple[str, str, int], list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._closed = False

    def ask(
        self, method: str, url: Url, headers: Mapping[str, str], body: Body | None = None, size: int | None = None
    ) -> contextlib.AbstractAsyncContextManager[Answer]:
        """Send a request; to be used with ``async with``, which gives the `Answer`. `size` is how long its body is.

        Raises NotAllowed, Unavailable, WebFault, TimeoutError, OSError, ssl.SSLError, and whatever `body` raises.
        """
        return _Exchange(self, method, url, headers, body, size)

    async def connection(self, place: tuple[str, str, int], fresh: bool) -> tuple[Connection, bool]:
        """A connection to a server, and whether it is one that was kept; a `fresh` one never is."""
        kept = self._kept.get(place)
        while kept and not fresh:
            found = kept.pop()
            if found.is_open:
                self._busy.add(found)
                return found, True
        made = await self._connected(place)
        self._busy.add(made)
        if self._timer is None:
            self._look()
        return made, False

    async def _connected(self, place: tuple[str, str, int]) -> Connection:
        scheme, host, port = place
        loop = asyncio.get_running_loop()
        sock = await connect(self._policy, host, port, timeout=self._connecting)
        try:
            if scheme == "http":
                return (await loop.create_connection(Connection, sock=sock))[1]
            async with asyncio.timeout(self._connecting):
                return (await loop.create_connection(Connection, sock=sock, ssl=self._tls, server_hostname=host))[1]
        except BaseException:
            sock.close()
            raise

    def give_back(self, place: tuple[str, str, int], connection: Connection) -> None:
        """What was asked for is over."""
        self._busy.discard(connection)
        kept = self._kept.setdefault(place, [])
        if connection.usable and len(kept) < _KEPT and not self._closed:
            connection.rest()
            kept.append(connection)
        else:
            connection.close()

    def _look(self) -> None:
        """One timer looks after all connections, for there may be thousands of requests a second. It is due when the
        first of them is; one that begins to wait later is due later."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = now + min(self._idle, self._keep)
        for connection in [one for one in self._busy if one.waiting]:
            if now - connection.since >= self._idle:
                connection.fail(TimeoutError("the server does not answer in time"))
            else:
                due = min(due, connection.since + self._idle)
        for place, kept in list(self._kept.items()):
            for connection in kept[:]:
                if now - connection.since >= self._keep or not connection.is_open:
                    kept.remove(connection)
                    connection.close()
                else:
                    due = min(due, connection.since + self._keep)
            if not kept:
                del self._kept[place]
        if self._busy or self._kept:
            self._timer = loop.call_at(max(due, now + _SOON), self._look)

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for kept in self._kept.values():
            for connection in kept:
                connection.close()
        self._kept.clear()
        for connection in list(self._busy):
            connection.close()


class _Exchange(contextlib.AbstractAsyncContextManager[Answer]):
    """A request and its answer."""

    def __init__(
        self,
        client: Client,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: Body | None,
        size: int | None,
    ) -> None:
        self._client = client
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._size = size
        self._place = url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)
        self._connection: Connection | None = None

    async def __aenter__(self) -> Answer:
        head = self._head()
        fresh = False
        while True:
            self._connection, kept = await self._client.connection(self._place, fresh)
            try:
                return Answer(self._connection, await self._asked(self._connection, head))
            except (NoAnswer, ConnectionError):
                said = self._connection.has_begun
                self._leave()
                if not kept or said or self._method not in _AGAIN:
                    raise
                fresh = True
            except BaseException:
                self._leave()
                raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            self._client.give_back(self._place, self._connection)
            self._connection = None

    def _head(self) -> bytes:
        target = f"{self._url.path or '/'}{'?' if self._url.query else ''}{self._url.query}"
        if not target.isascii():
            target = quote(target, safe=_PRINTABLE)
        lines = [f"{self._method} {target} HTTP/1.1\r\nHost: {self._url.place}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in self._headers.items()]
        if self._size is not None:
            lines.append(f"Content-Length: {self._size}\r\n")
        elif self._method in ("PUT", "POST"):
            lines.append("Content-Length: 0\r\n")
        text = "".join(lines)
        if not text.isascii():
            raise InvalidInput("what is sent to a web server has a character in it that cannot be sent")
        if text.count("\n") != text.count("\r\n") or text.count("\r") != len(lines) + 1 or "\0" in text:
            raise InvalidInput("what is sent to a web server has a line end in it where there must be none")
        return f"{text}\r\n".encode("ascii")

    async def _asked(self, connection: Connection, head: bytes) -> Headers:
        connection.begin(self._method)
        body = self._body() if self._body is not None else None
        if body is None or isinstance(body, bytes):
            await connection.send(head + (body or b""))
            return await connection.head()
        left = self._size or 0
        async with contextlib.aclosing(body):
            async for piece in body:
                left -= len(piece)
                if left < 0:
                    raise WebFault("there is more to be sent than was said")
                await connection.send(head + piece)
                head = b""
                if connection.answered or not connection.is_open:
                    break
        if head:
            await connection.send(head)
        if left:
            connection.use_no_more()
            if connection.is_open and not connection.answered:
                raise WebFault("there is less to be sent than was said")
        return await connection.head()
