"""Several endpoints behind one address: the native one, and what the configuration switches on beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from argosy.model import InvalidInput
from argosy.model.plugins import Broken, registered

from .contract import Endpoint, Surroundings
from .rest.app import RestApp

GROUP = "argosy.endpoints"


class Mounted:
    """An ASGI application that gives each request to the endpoint whose address it has."""

    def __init__(self, native: RestApp, others: Sequence[Endpoint]) -> None:
        self._native = native
        self._others = tuple(others)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI says."""
        if scope["type"] == ScopeType.HTTP:
            for one in self._others:
                if scope["path"].startswith(one.prefix):
                    await one(scope, receive, send)
                    return
        await self._native(scope, receive, send)

    def close(self) -> None:
        """End event streams and long polls, so that the server can stop. To be called in the event loop."""
        self._native.close()
        for one in self._others:
            one.close()


def open_endpoints(config: Mapping[str, Mapping[str, Any]], surroundings: Surroundings) -> list[Endpoint]:
    """The endpoints that the section ``[endpoints]`` switches on. Raises InvalidInput naming the element."""
    found = registered(GROUP)
    opened: list[Endpoint] = []
    for name, options in config.items():
        if name not in found:
            known = ", ".join(found)
            raise InvalidInput(f"{name!r} is no endpoint; there are {known}", element=f"endpoints.{name}")
        try:
            made = found[name].load()
        except Broken as error:
            raise InvalidInput(str(error), element=f"endpoints.{name}") from error
        if not (isinstance(made, type) and issubclass(made, Endpoint)):
            raise InvalidInput(f"{found[name].value} is no Endpoint", element=f"endpoints.{name}")
        endpoint = made.from_config(options, surroundings)
        for other in opened:
            if other.prefix.startswith(endpoint.prefix) or endpoint.prefix.startswith(other.prefix):
                raise InvalidInput(
                    f"it has the addresses of {type(other).__name__}, {other.prefix}", element=f"endpoints.{name}"
                )
        opened.append(endpoint)
    return opened
