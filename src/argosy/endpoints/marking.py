"""Each request has an id and an address, by which its lines in the audit trail and in the log are found."""

from __future__ import annotations

from typing import Any, Protocol

from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from argosy.service.audit import of_request

_HEADER = b"x-request-id"


class Application(Protocol):
    """What serves, and can be told to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI says."""

    def close(self) -> None:
        """End what would go on for ever."""


class Marked:
    """An application whose answers say the request's id in ``X-Request-Id``: the one it brought, or one made here."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI says."""
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER), None)
        client = scope.get("client")
        with of_request(given, client[0] if client else None) as mark:
            told = (_HEADER, mark.id.encode())

            async def marked(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], told]
                await send(message)

            await self._inner(scope, receive, marked)

    def close(self) -> None:
        """End event streams and long polls."""
        self._inner.close()
