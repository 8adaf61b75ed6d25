"""Bodies in pieces, at the level of ASGI: requests as they arrive, answers until the client goes away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec
from litestar.types import HTTPScope, Receive, Scope, Send

from argosy.model import Unavailable

from .problems import of_status

log = logging.getLogger(__name__)


async def request_body(receive: Receive) -> AsyncIterator[bytes]:
    """The request's body as it comes. Raises Unavailable where the client goes away before its end.

    One that stops coming is cut off by the connection (`peer.BODY_TIME`).
    """
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unavailable("the client went away before the end of the body; nothing was changed")
        if message["type"] == "http.request":
            if message["body"]:
                yield message["body"]
            if not message["more_body"]:
                return


async def short_body(receive: Receive, most: int) -> bytes:
    """The whole of a body. Raises HttpError (413) where it is longer, and as `request_body`."""
    parts = []
    size = 0
    async for part in request_body(receive):
        size += len(part)
        if size > most:
            raise of_status(413)
        parts.append(part)
    return b"".join(parts)


class Answer:
    """An ASGI answer: headers, then whatever `chunks` gives. The iterator is closed in any case."""

    def __init__(self, status: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes] | None = None) -> None:
        self.status = status
        self.headers = headers
        self.chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Ends early, and quietly, where the client goes away."""
        sending = asyncio.create_task(self._send(send, head=cast(HTTPScope, scope)["method"] == "HEAD"))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            # Where the task never began, neither did its own clean-up.
            if self.chunks is not None:
                await aclose(self.chunks)
        error = None if sending.cancelled() else sending.exception()
        if error is not None:
            # The status has been sent. An answer without its end makes the server cut the connection, which tells the
            # client that this was not all.
            log.warning("an answer was cut off: %s", error)

    async def _send(self, send: Send, *, head: bool) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()],
            }
        )
        if self.chunks is not None and not head:
            async for chunk in self.chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


async def aclose(iterator: object) -> None:
    """Close an asynchronous iterator, where it is one that can be closed."""
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()


def whole(document: Any) -> Answer:
    """An answer of one JSON document."""

    async def chunks() -> AsyncIterator[bytes]:
        yield msgspec.json.encode(document)

    return Answer(200, {"content-type": "application/json"}, chunks())


async def send_whole(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """One answer in one piece."""
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    if status != HTTPStatus.NOT_MODIFIED:  # its length would be that of the document (RFC 9110, 8.6)
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})
