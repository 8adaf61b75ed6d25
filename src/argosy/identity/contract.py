"""What an endpoint saw of a request's sender, and what a way of authentication makes of it.

Ways of authentication register under the entry-point group ``argosy.identity``, by the name of their section in the
configuration: ``[identity.NAME]`` switches one on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from argosy.model import ArgosyError, InvalidInput

from .caller import Caller

T = TypeVar("T")


class Refused(ArgosyError):
    """A credential was sent and is not good. The message says why; `reason` says it for programs, e.g. ``expired``."""

    code = "not-authenticated"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SocketPeer:
    """The process at the other end of a Unix socket, as the kernel tells it (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an endpoint saw.

    `headers` have names in lower case. `certificates` are the peer's from a TLS handshake, in DER, its own first: the
    handshake has shown that the peer has the first one's private key. `address` is the peer's IP address.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificates: tuple[bytes, ...] = ()
    socket: SocketPeer | None = None
    address: str | None = None


class Authenticator(ABC):
    """One way to tell who calls."""

    grants: ClassVar[bool] = False
    """Whether its callers are users of the service by themselves, since the service's owner made their credential.
    Those of the others must be named in the configuration."""

    implicit: ClassVar[bool] = False
    """Whether it goes by the connection, without anything that was sent; such are asked last."""

    @classmethod
    @abstractmethod
    def from_config(cls, options: Mapping[str, Any], directory: Path) -> Self:
        """One with the options of its section; `directory` is the service's private one. Raises InvalidInput."""

    @abstractmethod
    async def authenticate(self, evidence: Evidence) -> Caller | None:
        """Who it is; None where there is no credential of this kind.

        Raises Refused, with the reason, where there is one that is not good, and Unavailable where that cannot be
        told now.
        """

    async def close(self) -> None:
        """Let go of connections."""
        return


def read_options(options: Mapping[str, Any], type: type[T], section: str) -> T:
    """A section of the configuration as a typed one. Raises InvalidInput with the element."""
    try:
        return msgspec.convert(dict(options), type=type)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$.")
        element = ".".join(part for part in ("identity", section, at.rstrip("`")) if part)
        raise InvalidInput(message, element=element) from error


def shown(text: str, most: int = 200) -> str:
    """Text of somebody unknown, for a message: on one line, printable, and not long."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:most])
    return clean + ("..." if len(text) > most else "")
