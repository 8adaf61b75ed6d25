"""A few processes of gsissh to one host with one credential: each is a connection of its own, and a login shell."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import weakref
from collections.abc import AsyncIterator, Callable, Hashable

from argosy.model import Unavailable
from argosy.transport.contract import Credential
from argosy.transport.shell.connection import DIAL_TIMEOUT, Connection, SessionT
from argosy.transport.shell.target import Target

from .child import Child
from .command import CONNECT_TIMEOUT, PROGRAM, environment, find, words
from .log import Log
from .words import failure

#: Each is a login there, and costs a handshake; half of them at the most watch directories.
_CHANNELS = 4
#: So many logins to one host wait to be let in at once, whomever they are for: sshd turns some away beyond 10 unless
#: its MaxStartups says otherwise.
_AT_ONCE = 8
#: How long a process that was killed is waited for, in seconds.
_GONE = 5.0
#: How old the word may be that the credential is good, in seconds.
_LOOK = 1.0


_doors: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, weakref.WeakValueDictionary[Hashable, asyncio.Semaphore]
] = weakref.WeakKeyDictionary()


def _door(target: Target) -> asyncio.Semaphore:
    """The one to this host in the running loop, whoever goes through it."""
    here = _doors.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    return here.setdefault((target.host, target.port, target.config), asyncio.Semaphore(_AT_ONCE))


@contextlib.asynccontextmanager
async def _at(door: asyncio.Semaphore) -> AsyncIterator[Callable[[], None]]:
    """One is at the door until what this gives is called, and not for long anyway: somebody's login shell that hangs
    keeps nobody else waiting."""
    await door.acquire()
    there = True

    def leave() -> None:
        nonlocal there
        if there:
            there = False
            door.release()

    timer = asyncio.get_running_loop().call_later(CONNECT_TIMEOUT, leave)
    try:
        yield leave
    finally:
        timer.cancel()
        leave()


class GSISSHConnection(Connection):
    """Logins one after the other: while one is being tried nobody tries another with the same credential."""

    def __init__(self, target: Target, credential: Credential | None, *, delegate: bool) -> None:
        super().__init__(str(target), PROGRAM, _CHANNELS)
        self._target = target
        self._credential = credential
        self._delegate = delegate
        self._turn = asyncio.Lock()
        self._door = _door(target)
        self._failure: Unavailable | None = None
        self._children: set[Child] = set()
        self._closed = False
        self._checked = -math.inf
        self._tried_with: dict[str, str] | None = None

    async def _connected(self) -> object:
        if self._closed:
            raise Unavailable(f"the {PROGRAM} connection to {self.where} is closed")
        loop = asyncio.get_running_loop()
        if self._credential is not None and loop.time() - self._checked > _LOOK:
            try:
                await self._credential.check()
            except Unavailable:
                # A login outlasts what it was made with; what is done with it must not.
                while self._idle:  # at once: that they are gone is told later
                    self._idle.pop().abort()
                self._slots.end_lasting()
                raise
            self._checked = loop.time()
        return self

    def _lasts(self, connection: object) -> bool:
        return connection is self and not self._closed

    async def _open_channel(self, connection: object, line: str, factory: Callable[[], SessionT]) -> SessionT | None:
        waited_for = self._failure
        async with self._turn:
            if self._failure is not None and self._failure is not waited_for:
                raise Unavailable(self._failure.message)  # this one would have been the same
            if self._credential is None:
                return await self._login(line, factory, None)
            async with self._credential.lent() as credential:
                # Another one may be let in where the last one was not.
                if credential != self._tried_with:
                    self._tried_with = dict(credential)
                    self._backoff.at_once()
                return await self._login(line, factory, dict(credential))

    async def _login(self, line: str, factory: Callable[[], SessionT], credential: dict[str, str] | None) -> SessionT:
        if (wait := self._backoff.wait()) > 0:
            await asyncio.sleep(wait)
        try:
            async with _at(self._door) as let_in:
                session = await self._start(line, factory, credential, let_in)
        except Unavailable as error:
            self._failure = error
            self._backoff.failed(error)
            raise
        self._failure = None
        self._backoff.went_well()
        return session

    async def _start(
        self,
        line: str,
        factory: Callable[[], SessionT],
        credential: dict[str, str] | None,
        let_in: Callable[[], None],
    ) -> SessionT:
        environ = environment(os.environ, credential)
        program = find(environ.get("PATH"))
        session = factory()
        child = Child(session)
        with Log(let_in) as log:
            argv = words(program, self._target, child.line(line), delegate=self._delegate, log=log.path)
            loop = asyncio.get_running_loop()
            try:
                await loop.subprocess_exec(lambda: child, *argv, env=environ, cwd="/", start_new_session=True)
            except OSError as error:
                raise Unavailable(f"{program} cannot be run: {error.strerror or error}") from error
            await self._begun(child, log)
        self._opened(session)
        return session

    async def _begun(self, child: Child, log: Log) -> None:
        """Wait until the login shell has begun. Raises Unavailable where it does not."""
        self._children.add(child)
        if self._closed:
            child.abort()
        child.gone.add_done_callback(lambda done: self._children.discard(child))
        begun = False
        try:
            async with asyncio.timeout(DIAL_TIMEOUT):
                begun = await asyncio.shield(child.begun)
        except TimeoutError:
            raise Unavailable(f"{self.where} cannot be reached through {PROGRAM} within {DIAL_TIMEOUT:g} s") from None
        finally:
            if not begun:
                child.abort()
        if not begun:
            if child.status is not None:
                raise self.shell_ended(child.status, child.words)
            raise failure(self.where, child.words, log.read(), child.signal)

    async def close(self) -> None:
        self._closed = True
        children = list(self._children)
        for child in children:
            child.abort()
        if children:
            await asyncio.wait([child.gone for child in children], timeout=_GONE)
