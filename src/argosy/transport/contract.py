"""The contract for a transport: run a command, move small files, watch a directory, on some host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

from argosy.model import Command, Completed


class Credential(ABC):
    """Whom logins are for. Equal ones share their logins."""

    @abstractmethod
    def lent(self) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """The variables of the environment that name the credential as it is now: entered before each login and left
        after it. Raises Unavailable where there is none that is good."""

    @abstractmethod
    async def check(self) -> None:
        """Raise Unavailable where there is none that is good: logins with it are not used any more then."""


class Transport(ABC):
    """A way to reach one host as one user. Paths are absolute paths of that host."""

    #: Whether its host is logged in to with proxies: it is made with `credential`, whose proxy that is (None: what this
    #: process has), and `delegate`, whether commands are left with one of their own, besides the URL and `config`.
    takes_proxies: ClassVar[bool] = False

    #: For people: ``this machine``, ``user@host``.
    where: str

    @abstractmethod
    async def run(self, command: Command, *, timeout: float) -> Completed:
        """Run a command to its end.

        Raises Unavailable where the host cannot be reached, the program is not there or `timeout` seconds
        pass; in the last case the command is killed, and may have done its work.
        """

    @abstractmethod
    async def home(self) -> str:
        """The user's home directory."""

    @abstractmethod
    async def make_directories(self, paths: Sequence[str]) -> None:
        """Make directories and their parents, for this user only (mode 0700). Those that exist are left alone."""

    @abstractmethod
    async def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Write a file whole or not at all: under another name first, flushed to disk, then renamed."""

    @abstractmethod
    async def read(self, path: str) -> bytes | None:
        """A small file's content; None where there is none."""

    @abstractmethod
    async def collect(self, directory: str, *, limit: int = 10_000) -> list[tuple[str, bytes]]:
        """The names and contents of at most `limit` small files in a directory, in one round trip."""

    @abstractmethod
    async def remove(self, paths: Sequence[str]) -> None:
        """Remove files, and directories with all they hold. Those that are not there are no error."""

    @abstractmethod
    async def watch(self, directory: str, changed: Callable[[], None]) -> Callable[[], None] | None:
        """Call `changed` soon after files appear in a directory, until the returned function is called.

        None where this transport or file system cannot tell; the caller looks from time to time in any case.
        """

    async def close(self) -> None:
        """Let go of connections. Commands under way end with Unavailable."""
        return
