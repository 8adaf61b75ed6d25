"""The contract for an endpoint beside the native one: a protocol of its own, below an address of its own.

Endpoints register under the entry-point group ``argosy.endpoints``, by the name of their section in the
configuration: ``[endpoints.NAME]`` switches one on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from litestar.types import HTTPScope, Receive, Send

from argosy.service.caller import Caller
from argosy.service.contract import Operations

#: Who sent a request; None where it brought no credential. Raises Refused, NotAllowed, Unavailable.
Identify = Callable[[HTTPScope], Awaitable[Caller | None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an endpoint finds: the service, who tells callers apart, and the names of the resources."""

    operations: Operations
    identify: Identify
    resources: tuple[str, ...]


class Endpoint(ABC):
    """A protocol through which the service is reached. It translates, and decides nothing of its own."""

    prefix: ClassVar[str]
    """The addresses that are its own begin with it, e.g. ``/api/``; no other endpoint's do."""

    @classmethod
    @abstractmethod
    def from_config(cls, options: Mapping[str, Any], surroundings: Surroundings) -> Self:
        """One with the options of its section. Raises InvalidInput naming the element."""

    @abstractmethod
    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says."""

    def close(self) -> None:
        """End what would go on for ever, so that the server can stop. Called in the event loop."""
        return
