"""The contract that each URL scheme keeps. Whatever holds for all of them is done around it.

A scheme moves the bytes of one file once. Retries, several sources, temporary names on this side, checksums, limits and
creation flags on this side are not its business. A package adds one by the entry-point group ``argosy.staging``: the
scheme's name, and a class over `Scheme`.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from argosy.model.description import CreationFlag
from argosy.outbound import OutboundPolicy, Url

from .contract import Credentials, Direction

#: Entry points: what comes before the colon of a URL, and a class over `Scheme`.
GROUP = "argosy.staging"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds: to have a connection, and between two signs of life."""

    connect: float = 30.0
    idle: float = 60.0


@dataclass(frozen=True, slots=True)
class Context:
    """What a scheme is made with: where it may connect to, and its own table of the configuration, checked by itself.

    `directory` is a private directory of the service, for credentials that a tool wants in a file. `ca_file` and
    `ca_directory` are whose certificates are trusted beside those of the system.
    """

    policy: OutboundPolicy
    options: Mapping[str, Any]
    timeouts: Timeouts
    directory: str
    ca_file: str | None = None
    ca_directory: str | None = None

    def tls(self, certificate: str | None = None) -> ssl.SSLContext:
        """How servers are verified; `certificate` names a PEM file with a certificate, its chain and its key."""
        context = ssl.create_default_context()
        if self.ca_file or self.ca_directory:
            context.load_verify_locations(self.ca_file, self.ca_directory)
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context


@dataclass(frozen=True, slots=True)
class Call:
    """What comes with one transfer."""

    credentials: Credentials = field(default_factory=Credentials)


class Sink(Protocol):
    """Takes the bytes of a file. `offset` is how many it has already, from an attempt before; `validator` is what that
    attempt said with `expect`, so that a source can go on only where it is still the same file."""

    @property
    def offset(self) -> int: ...

    @property
    def validator(self) -> str | None: ...

    async def restart(self) -> None:
        """Forget what is there: the bytes begin at the first one."""

    def expect(
        self, size: int | None = None, *, validator: str | None = None, checksums: Mapping[str, str] | None = None
    ) -> None:
        """Say what the source says of the whole file, before its first byte. Checksums are compared in the end."""

    async def finished(self) -> None:
        """Wait until what was given to `write` is taken; before `write_blocking` is called beside it."""

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raises TransferFailed where they are too many or there is no space."""

    def write_blocking(self, data: bytes | memoryview) -> None:
        """The same, for a scheme that works in a thread. The memory of a memoryview may be used again afterwards."""


class Content(Protocol):
    """A file to be sent: `size` bytes. `chunks` gives them from the first on, at each call anew."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    def read_blocking(self, size: int) -> bytes:
        """The next bytes, for a scheme that works in a thread; begin with `rewind`."""

    def rewind(self) -> None: ...

    def part(self, offset: int, size: int) -> bytes:
        """A part of it; for a scheme that sends several at once. Blocks."""

    async def sent(self, size: int) -> None:
        """Say that so many bytes of a part have gone."""

    async def checksum(self, algorithm: str) -> str:
        """Of the whole, in hexadecimal; computed once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory: its path beneath that directory."""

    path: str
    size: int | None = None
    directory: bool = False


@dataclass(frozen=True, slots=True)
class Stat:
    """What is at a URL. `validator` changes with the content; `checksums` in hexadecimal."""

    size: int | None = None
    validator: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


class Scheme(ABC):
    """One or several URL schemes of one protocol."""

    #: What it can do; `check` is only called with what it can.
    can_fetch: ClassVar[bool] = True
    can_push: ClassVar[bool] = True
    can_list: ClassVar[bool] = False
    #: Whether a file that is there can be left alone safely (creation flag refuse), and read back (append).
    can_stat: ClassVar[bool] = True
    #: Whether fetching from it goes through the cache.
    cached: ClassVar[bool] = False
    #: Whether it connects to the URL's host, so that the policy and the limits per host concern it.
    outbound: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        self.context = context

    def missing(self) -> str | None:
        """What must be installed or configured before it can be used, in words; None where nothing lacks."""
        return None

    def check(self, url: Url, direction: Direction) -> None:
        """Raise InvalidInput or NotAllowed where this URL can never do, without connecting anywhere."""
        if self.outbound:
            self.context.policy.check(url)

    @abstractmethod
    async def fetch(self, url: Url, sink: Sink, call: Call) -> None:
        """Write the file's bytes to the sink, from ``sink.offset`` on or, after ``sink.restart()``, from the first.

        Raises TransferFailed; Unavailable and NotAllowed where there is no connection.
        """

    async def push(self, url: Url, content: Content, creation: CreationFlag, call: Call) -> bool:
        """Put a file there whole, making the directories above it; says whether the other side's copy was verified.

        With the flag ``refuse`` nothing that is there is touched; ``append`` does not come here. Raises as `fetch`.
        """
        raise NotImplementedError

    async def stat(self, url: Url, call: Call) -> Stat | None:
        """What is there; None where nothing is. Raises as `fetch`."""
        raise NotImplementedError

    async def unchanged(self, url: Url, validator: str, call: Call) -> bool:
        """Whether the source still has what it had when it stated this validator. Raises as `fetch`."""
        found = await self.stat(url, call)
        return found is not None and found.validator == validator

    def entries(self, url: Url, call: Call) -> AsyncIterator[Entry]:
        """What is in a directory and those below it, directories before what is in them. Raises as `fetch`."""
        raise NotImplementedError

    async def close(self) -> None:  # noqa: B027 - few schemes keep any
        """Close connections that were kept."""
