"""One connection to a web server: one request at a time, and its answer (RFC 9112).

llhttp, through httptools, takes answers apart, in its strict mode. What is here is what lies around it: what is sent,
when an answer is over, and that no more is kept than somebody takes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, cast

import httptools

#: The most bytes of an answer's head.
MAX_HEAD = 128 * 1024
#: From so many bytes on that nobody has taken yet, no more are read.
_ENOUGH = 1024 * 1024


class WebFault(Exception):
    """What went wrong between here and the server, in words."""


class NoAnswer(WebFault):
    """The server has closed the connection before it said anything. That is how connections end that were kept."""


class Headers(Mapping[str, str]):
    """Of an answer, names in any case. Of several of one name, the first. Bytes are characters (ISO 8859-1)."""

    __slots__ = ("_found",)

    def __init__(self, found: Mapping[str, str]) -> None:
        """With the names in lower case."""
        self._found = found

    def __getitem__(self, name: str) -> str:
        return self._found[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class Connection(asyncio.Protocol):
    """Made by a `Client`, which connects it and looks after its time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._write_paused = False
        self._parser: httptools.HttpResponseParser | None = None
        self._error: BaseException | None = None
        #: When something came or went last, by the loop's clock.
        self.since = self._loop.time()
        self.secure = False
        self._reset("")

    def _reset(self, method: str) -> None:
        self._method = method
        self._found: dict[str, str] = {}
        self._body: deque[bytes] = deque()
        self._held = 0
        self._head_size = 0
        self._said = False
        self._reading_paused = False
        self._keep = False
        self._has_end = False
        self.status = 0
        self.reason = ""
        #: Whether the head of the answer has come, and whether all of it has.
        self.answered = False
        self.complete = False

    # -- what is asked --------------------------------------------------------------------------

    def begin(self, method: str) -> None:
        """Another request is about to be sent."""
        self._reset(method)
        self._parser = httptools.HttpResponseParser(self)
        self.since = self._loop.time()

    async def send(self, data: bytes) -> None:
        """Send a part of a request; waits where the server does not take it. What cannot be sent is not told here: the
        server may have said why."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        self.since = self._loop.time()
        while self._write_paused and not self.answered and self._error is None and self._transport is not None:
            await self._wait()

    async def head(self) -> Headers:
        """The head of the answer."""
        while not self.answered:
            if self._error is not None:
                raise self._error
            await self._wait()
        return Headers(self._found)

    async def piece(self) -> bytes:
        """The next bytes of the answer's body; none at its end."""
        while not self._body:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        piece = self._body.popleft()
        self._held -= len(piece)
        if self._reading_paused and self._held < _ENOUGH // 2 and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()
        return piece

    def early(self) -> list[bytes]:
        """What has come of the body and was not taken; nothing more is read after that."""
        if self._transport is not None:
            self._transport.pause_reading()
        pieces = list(self._body)
        self._body.clear()
        self._keep = False
        return pieces

    def info(self, name: str) -> Any:
        """See `asyncio.BaseTransport.get_extra_info`."""
        return None if self._transport is None else self._transport.get_extra_info(name)

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for the other side."""
        return self._waiter is not None

    @property
    def has_begun(self) -> bool:
        """Whether something of an answer has come."""
        return self._said

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the answer is left to be taken."""
        return self.complete and not self._body

    def use_no_more(self) -> None:
        """The other side may wait for more of this request."""
        self._keep = False

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self.complete and self._keep and self.is_open

    @property
    def is_open(self) -> bool:
        """Whether the other side is still there, as far as is known."""
        return self._error is None and self._transport is not None and not self._transport.is_closing()

    def rest(self) -> None:
        """The answer has been taken: whatever comes now is not wanted."""
        self._parser = None
        self._body.clear()
        self.since = self._loop.time()

    def fail(self, error: BaseException) -> None:
        """End it, and tell whoever waits."""
        if self._error is None:
            self._error = error
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def close(self) -> None:
        """End it."""
        self.fail(WebFault("the connection was closed"))

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        self.since = self._loop.time()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- what the transport says ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)  # that it is one is asyncio's word; uvloop's is none
        self.secure = transport.get_extra_info("sslcontext") is not None

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        if self._error is None:
            if error is not None:
                self._error = error
            elif not self._said:
                self._error = NoAnswer("the server closed the connection without an answer")
            elif self.answered and not self.complete and not self._has_end:
                self.complete = True  # its end is that of the connection
            elif not self.complete:
                self._error = WebFault("the answer ended too early")
        self._wake()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._write_paused = False
        self.since = self._loop.time()
        self._wake()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.since = self._loop.time()
        if self._parser is None or self.complete:
            self._keep = False
            self.close()  # nothing was asked
            return
        self._said = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(WebFault("the server answers in another protocol"))
            return
        except httptools.HttpParserError as error:
            if not self.complete:
                cause = error.__context__ or error
                self.fail(
                    cause if isinstance(cause, WebFault) else WebFault(f"the server's answer is no HTTP: {cause}")
                )
                return
            self._keep = False  # what follows the answer is wrong
        if not self.answered:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self.fail(WebFault(f"the head of the server's answer has more than {MAX_HEAD} bytes"))
            return
        if self._held >= _ENOUGH and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    # -- what the parser says -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Another answer begins."""
        if self.complete:
            self._keep = False  # one was asked for

    def on_status(self, reason: bytes) -> None:
        """Words, perhaps in parts."""
        if not self.answered:
            self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or one behind the last chunk, which nobody wants."""
        if not self.answered:
            self._found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t"))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        assert self._parser is not None
        if self.complete:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._found, self.reason = {}, ""
            return
        encoding = self._found.get("transfer-encoding")
        if encoding is not None and encoding.lower() != "chunked":
            self.fail(WebFault(f"the server's answer is encoded in a way that was not asked for: {encoding[:40]!r}"))
            return
        self.status = status
        self.answered = True
        self._keep = self._parser.should_keep_alive()
        self._has_end = encoding is not None or "content-length" in self._found
        if self._method == "HEAD":
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """The next bytes of the body."""
        if self.complete:
            self._keep = False
            return
        self._body.append(data)
        self._held += len(data)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was one before the answer."""
        if self.answered:
            self.complete = True
