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
from argosy.service.information.published import Interface

from .limiting import Callers

#: Who sent a request; None where it brought no credential. Raises Refused, NotAllowed, Unavailable.
Identify = Callable[[HTTPScope], Awaitable[Caller | None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an endpoint finds: the service, who tells callers apart, the names of the resources, and `callers`, what
    each may ask of all endpoints together: whoever is known enters there with a request, and leaves with its answer."""

    operations: Operations
    identify: Identify
    resources: tuple[str, ...]
    callers: Callers


class Endpoint(ABC):
    """A protocol through which the service is reached. It translates, and decides nothing of its own."""

    prefix: ClassVar[str]
    """The addresses that are its own begin with it, e.g. ``/api/``; no other endpoint's do."""

    @classmethod
    @abstractmethod
    def from_config(cls, options: Mapping[str, Any], surroundings: Surroundings) -> Self:
        """One with the options of its section. Raises InvalidInput naming the element."""

    #: Its name and version, as it is published in GLUE 2 (InterfaceName, InterfaceVersion).
    published: ClassVar[tuple[str, str]] = ("", "")

    def interface(self) -> Interface:
        """What is published of it; its `url` is a path. Takes descriptions in no language that we know of."""
        name, version = self.published
        key = type(self).__name__.lower()
        return Interface(name or f"org.argosy.{key}", version or "1", self.prefix, key, ())

    @abstractmethod
    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says."""

    def close(self) -> None:
        """End what would go on for ever, so that the server can stop. Called in the event loop."""
        return
