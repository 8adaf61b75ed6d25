"""One connection to one host as one user, shared by all who need it, made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import asyncssh

from argosy.model import Unavailable

from . import remote
from .channel import MOST_OUTPUT, Channel, Ended, Shell, Stream
from .dial import LoginRefused, dial
from .slots import Slots
from .target import Target

log = logging.getLogger(__name__)

_ChannelT = TypeVar("_ChannelT", bound=Channel)

#: Channels at once. sshd allows 10 by itself (sshd_config(5), MaxSessions); where it allows fewer, that is learned.
_CHANNELS = 8
#: How long all attempts at one connection may take together, hops included, in seconds.
_DIAL_TIMEOUT = 90.0
#: The wait after a failed attempt doubles from the first to the last; after a refused login it begins higher, for
#: there are hosts that lock out who tries too often. Seconds.
_WAIT_FIRST = 0.5
_WAIT_REFUSED = 5.0
_WAIT_MOST = 60.0
#: A wait so short is waited out by whoever asks; during a longer one the answer is that the host is away.
_PATIENCE = 2.0
#: How often a channel is asked for, for one command. The wait for a session that has just ended there doubles; seconds.
_ATTEMPTS = 8
_SESSION_ENDS = 0.05
#: For the answer of a command that was killed on the other side when its time was up, in seconds.
_LATE = 5.0


class Connection:
    """A multiplexed connection. Belongs to one event loop."""

    def __init__(self, target: Target) -> None:
        self.where = str(target)
        self.users = 0
        self._target = target
        self._open: asyncssh.SSHClientConnection | None = None
        self._dialing: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._slots = Slots(_CHANNELS)
        self._idle: list[Shell] = []
        self._failures = 0
        self._not_before = 0.0
        self._why = ""

    # -- connecting -------------------------------------------------------------------------------

    async def _connected(self) -> asyncssh.SSHClientConnection:
        if self._open is not None and not self._open.is_closed():
            return self._open
        if self._dialing is None:
            loop = asyncio.get_running_loop()
            wait = self._not_before - loop.time()
            if wait > _PATIENCE:
                raise Unavailable(f"{self._why}. The next attempt is made in {wait:.0f} s")
            self._dialing = asyncio.create_task(self._dial(wait))
            self._dialing.add_done_callback(self._dialed)
        return await asyncio.shield(self._dialing)

    async def _dial(self, wait: float) -> asyncssh.SSHClientConnection:
        if wait > 0:
            await asyncio.sleep(wait)
        made: list[asyncssh.SSHClientConnection] = []

        def lost(error: Exception | None) -> None:
            if made and self._open is made[0]:
                self._open = None
                if error is not None:
                    log.warning("the ssh connection to %s is lost: %s", self.where, error)

        try:
            async with asyncio.timeout(_DIAL_TIMEOUT):
                connection = await dial(self._target, lost)
        except TimeoutError:
            raise Unavailable(f"{self.where} cannot be reached through ssh within {_DIAL_TIMEOUT:g} s") from None
        made.append(connection)
        if connection.is_closed():
            raise Unavailable(f"the ssh connection to {self.where} was lost as soon as it was made")
        self._open = connection
        self._slots.anew()
        return connection

    def _dialed(self, task: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._dialing = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._failures = 0
            return
        first = _WAIT_REFUSED if isinstance(error, LoginRefused) else _WAIT_FIRST
        wait = min(first * 2**self._failures, _WAIT_MOST)
        self._failures = min(self._failures + 1, 10)
        self._not_before = asyncio.get_running_loop().time() + wait
        self._why = str(error)

    # -- channels ---------------------------------------------------------------------------------

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
        if shell.closed.result() is not None:
            words = shell.last_words().decode("utf-8", "replace").strip() or "it said nothing"
            raise Unavailable(f"the shell on {self.where} ended with {shell.closed.result()}: {words}")
        raise Unavailable(
            f"the ssh connection to {self.where} was lost before {what} had answered; what it did is not known"
        )

    async def stream(self, script: bytes, printed: Callable[[bytes], None]) -> None:
        """Run a script that has no end of its own; it sees the end of its input when this is cancelled."""
        async with self._slots.one(lasting=True):
            connection = await self._connected()
            if self._slots.full and self._idle:
                self._idle.pop().abort()
            channel = await self._open_channel(connection, remote.single(len(script)), lambda: Stream(printed))
            if channel is None:
                raise Unavailable(f"{self.where} gives no channel now")
            try:
                with self._slots.lasting(channel.abort):
                    channel.send(script)
                    await channel.closed
            finally:
                channel.abort()

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
                        if shell.usable and self._open is connection:
                            self._idle.append(shell)
                        else:
                            shell.abort()
                    return
            if not self._slots.others:
                # The host frees a session only when what ran in it has ended.
                await asyncio.sleep(_SESSION_ENDS * 2**attempt)
        raise Unavailable(f"{self.where} gives no channel: {self._slots.why}")

    async def _ready_shell(self, connection: asyncssh.SSHClientConnection) -> Shell | None:
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

    async def _open_channel(
        self, connection: asyncssh.SSHClientConnection, line: str, factory: Callable[[], _ChannelT]
    ) -> _ChannelT | None:
        """None where there is none now: it may be tried again."""
        made: list[_ChannelT] = []

        def session() -> _ChannelT:
            made.append(factory())
            return made[0]

        try:
            await connection.create_session(
                session,
                line,
                encoding=None,
                request_pty=False,
                x11_forwarding=False,
                # Nothing of this process's environment goes there, whatever SendEnv says.
                env=None,
                send_env=None,
            )
        except asyncssh.ChannelOpenError as error:
            # A connection that has just broken says the same as a host that gives no more channels, and is taken for
            # closed only in the loop's next round.
            await asyncio.sleep(0)
            if self._open is connection and not connection.is_closed():
                self._slots.refused(error.reason, self.where)
            return None
        except (asyncssh.Error, OSError) as error:
            raise Unavailable(f"the ssh connection to {self.where} was lost: {error}") from error
        self._slots.opened()
        made[0].closed.add_done_callback(lambda closed: self._gone(made[0]))
        return made[0]

    def _gone(self, channel: Channel) -> None:
        self._slots.gone()
        if isinstance(channel, Shell) and channel in self._idle:
            self._idle.remove(channel)

    def close(self) -> None:
        """End the connection now; what waits for an answer is told that it was lost."""
        if self._dialing is not None:
            self._dialing.cancel()
        if self._open is not None:
            self._open.close()
            self._open = None


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Target, Connection]] = weakref.WeakKeyDictionary()


def share(target: Target) -> Connection:
    """The one connection to this target in the running loop; to be given back with `release`."""
    here = _shared.setdefault(asyncio.get_running_loop(), {})
    connection = here.setdefault(target, Connection(target))
    connection.users += 1
    return connection


def release(target: Target, connection: Connection) -> None:
    """One user less; the last one closes it."""
    connection.users -= 1
    if connection.users <= 0:
        connection.close()
        _shared.get(asyncio.get_running_loop(), {}).pop(target, None)
