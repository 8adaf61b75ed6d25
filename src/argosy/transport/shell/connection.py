"""The way to one host as one user, shared by all who need it, had again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable
from typing import TypeVar

from argosy.model import Unavailable

from . import remote
from .backoff import Backoff
from .sessions import MOST_OUTPUT, Ended, Session, Shell, Stream
from .slots import Slots

SessionT = TypeVar("SessionT", bound=Session)

#: How long an attempt at a connection may take, hops included, in seconds.
DIAL_TIMEOUT = 90.0
#: How often a channel is asked for, for one command. The wait for a session that has just ended there doubles; seconds.
_ATTEMPTS = 8
_SESSION_ENDS = 0.05
#: For the answer of a command that was killed on the other side when its time was up, in seconds.
_LATE = 5.0


class Connection(ABC):
    """Channels to login shells on one host, at most so many at once. Belongs to one event loop.

    How channels are had is the subclass's matter: `name` is of what they are, e.g. ``ssh``.
    """

    def __init__(self, where: str, name: str, channels: int) -> None:
        self.where = where
        self.users = 0
        self._name = name
        self._slots = Slots(channels)
        self._idle: list[Shell] = []
        self._backoff = Backoff()

    @abstractmethod
    async def _connected(self) -> object:
        """What channels are channels of; it is made where it is not there. Raises Unavailable."""

    @abstractmethod
    def _lasts(self, connection: object) -> bool:
        """Whether what `_connected` gave is still there, as far as is known."""

    @abstractmethod
    async def _open_channel(self, connection: object, line: str, factory: Callable[[], SessionT]) -> SessionT | None:
        """A session whose login shell runs `line`; None where there is none now: it may be tried again. One that it
        gives is counted (`_opened`). Raises Unavailable."""

    @abstractmethod
    async def close(self) -> None:
        """End everything now; what waits for an answer is told that it was lost."""

    async def execute(self, script: bytes, data: bytes, timeout: float, what: str) -> Ended:
        """Run a script with `data` on its standard input. `what` is for people: whose answer is waited for.

        Raises Unavailable where it did not answer: it may have done its work, or may do it yet.
        """
        try:
            async with asyncio.timeout(timeout + _LATE), self._shell() as shell:
                ended = await shell.run(script, data)
        except TimeoutError:
            raise Unavailable(f"{what} gave no answer within {timeout:g} s on {self.where}") from None
        if ended is not None:
            return ended
        if shell.too_much:
            raise Unavailable(f"{what} printed more than {MOST_OUTPUT} bytes on {self.where}")
        if (status := shell.closed.result()) is not None:
            raise self.shell_ended(status, shell.last_words())
        raise Unavailable(
            f"the {self._name} connection to {self.where} was lost before {what} had answered; what it did is not known"
        )

    def shell_ended(self, status: int, words: bytes) -> Unavailable:
        """What to say of a login shell that has ended instead of doing what it is told."""
        said = words.decode("utf-8", "replace").strip() or "it said nothing"
        return Unavailable(f"the shell on {self.where} ended with {status}: {said}")

    async def stream(self, script: bytes, printed: Callable[[bytes], None]) -> None:
        """Run a script that has no end of its own; it sees the end of its input when this is cancelled."""
        async with self._slots.one(lasting=True):
            connection = await self._connected()
            if self._slots.full and self._idle:
                self._idle.pop().abort()
            session = await self._open_channel(connection, remote.single(len(script)), lambda: Stream(printed))
            if session is None:
                raise Unavailable(f"{self.where} gives no channel now")
            try:
                with self._slots.lasting(session.abort):
                    session.send(script)
                    await session.closed
            finally:
                session.abort()

    @contextlib.asynccontextmanager
    async def _shell(self) -> AsyncIterator[Shell]:
        """A shell that waits for a script: one that is there already, or a new one."""
        for attempt in range(_ATTEMPTS):
            connection = await self._connected()
            async with self._slots.one():
                shell = await self._ready_shell(connection)
                if shell is not None:
                    try:
                        yield shell
                    finally:
                        if shell.usable and self._lasts(connection):
                            self._idle.append(shell)
                        else:
                            shell.abort()
                    return
            if not self._slots.others:
                # The host frees a session only when what ran in it has ended.
                await asyncio.sleep(_SESSION_ENDS * 2**attempt)
        raise Unavailable(f"{self.where} gives no channel: {self._slots.why}")

    async def _ready_shell(self, connection: object) -> Shell | None:
        """None where there is none now. A connection that broke unnoticed is noticed here, before anything is run."""
        if not self._idle:
            return await self._open_channel(connection, remote.SHELL, Shell)
        shell = self._idle.pop()
        try:
            there = await shell.answers()
        except BaseException:
            shell.abort()
            raise
        if not there:
            shell.abort()
        return shell if there else None

    def _opened(self, session: Session) -> None:
        """The host has given this one."""
        self._slots.opened()
        session.closed.add_done_callback(lambda closed: self._gone(session))

    def _gone(self, session: Session) -> None:
        self._slots.gone()
        if isinstance(session, Shell) and session in self._idle:
            self._idle.remove(session)


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Connection]] = weakref.WeakKeyDictionary()


def share(key: Hashable, make: Callable[[], Connection]) -> Connection:
    """The one connection of this key in the running loop; to be given back with `release`."""
    here = _shared.setdefault(asyncio.get_running_loop(), {})
    connection = here.get(key)
    if connection is None:
        connection = here[key] = make()
    connection.users += 1
    return connection


async def release(key: Hashable, connection: Connection) -> None:
    """One user less; the last one closes it."""
    connection.users -= 1
    if connection.users <= 0:
        # First of all: whoever asks from now on gets a new one.
        _shared.get(asyncio.get_running_loop(), {}).pop(key, None)
        await connection.close()
