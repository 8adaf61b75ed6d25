"""A listening socket that lets in so many connections at a time, of all clients and of each address.

Where it is full, the connection goes that has waited longest for a request of its client: a head that does not come to
its end, or the next request on a connection that is kept. Where none has waited, the new one is told to come again.
They are counted as sockets, from the moment they are accepted: a TLS handshake under way is one like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

#: What the rest of the service needs of the files that a process may have open.
_OTHERS = 256
_FEWEST = 64
#: How many are told to come again before others of the event loop have their turn; for how long, in seconds, and how
#: many of those stay open so that they can read it.
_AT_ONCE = 64
_LINGER = 1.0
_LINGERING = 128
#: One that has waited for less than that, in seconds, does not go.
PATIENCE = 5.0
_BODY = (
    b'{"type":"urn:argosy:error:limit-exceeded","title":"Limit exceeded","status":503,"code":"limit-exceeded",'
    b'"detail":"the service has as many connections as it may; come again","retry_after":5}'
)
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-type: application/problem+json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Waiting(Protocol):
    """A connection that waits for a request of its client."""

    def give_way(self) -> None:
        """End it, without a word where none of a request has come."""


def fitting(most: int) -> int:
    """As many connections as are wanted, 0 for any number, and no more than the process may have files open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    room = max(_FEWEST, soft - _OTHERS)
    return min(most or room, room)


class Gatekeeper:
    """Counts connections. `most` of all, `per_address` of each; 0 is no limit."""

    def __init__(self, most: int, per_address: int, clock: Callable[[], float]) -> None:
        self.most = most
        self.per_address = per_address
        self.count = 0
        self.refused = 0
        self._clock = clock
        self._addresses: Counter[str] = Counter()
        self._waiting: dict[Waiting, tuple[str, float]] = {}
        self._words: dict[socket.socket, asyncio.TimerHandle] = {}

    def enter(self, address: str) -> bool:
        """Whether one more of this address may come in. What gives way for it goes a moment later."""
        if self.per_address and self._addresses[address] >= self.per_address and not self._make_room(address):
            return self._refuse()
        if self.most and self.count >= self.most and not self._make_room(None):
            return self._refuse()
        self.count += 1
        self._addresses[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One that came in has gone."""
        self.count -= 1
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def waits(self, one: Waiting, address: str) -> None:
        """It waits for its client from now on."""
        self._waiting.pop(one, None)
        self._waiting[one] = (address, self._clock())

    def works(self, one: Waiting) -> None:
        """It waits no more, or is gone."""
        self._waiting.pop(one, None)

    def _refuse(self) -> bool:
        self.refused += 1
        return False

    def _make_room(self, address: str | None) -> bool:
        before = self._clock() - PATIENCE
        for one, (its, since) in self._waiting.items():  # longest first
            if since > before:
                return False
            if address in (None, its):
                del self._waiting[one]
                one.give_way()
                return True
        return False

    def tell(self, connection: socket.socket, *, clear: bool) -> None:
        """Tell one that is not let in; in TLS there is nobody to talk to yet."""
        connection.setblocking(False)
        if not clear or len(self._words) >= _LINGERING:
            connection.close()
            return
        with contextlib.suppress(OSError):
            connection.send(_FULL)
            connection.shutdown(socket.SHUT_WR)
        # With what it sends unread, closing at once would take the answer away from it.
        self._words[connection] = asyncio.get_running_loop().call_later(_LINGER, self._close, connection)

    def _close(self, connection: socket.socket) -> None:
        self._words.pop(connection).cancel()
        connection.close()

    def close(self) -> None:
        """Let those go that are still reading."""
        for connection in list(self._words):
            self._close(connection)


class Connection(socket.socket):
    """One that was let in, and says when it has gone."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        if self.gone is not None:
            gone, self.gone = self.gone, None
            gone()


class Listener(socket.socket):
    """A socket of TCP whose connections the gatekeeper has let in. `clear`: what is spoken there is not TLS."""

    keeper: Gatekeeper
    clear: bool = True

    def accept(self) -> tuple[socket.socket, Any]:
        """See socket.socket.accept. Raises BlockingIOError where there is none that may come in."""
        for _ in range(_AT_ONCE):
            plain, name = super().accept()
            address = str(name[0])
            if self.keeper.enter(address):
                made = Connection(plain.family, plain.type, plain.proto, fileno=plain.detach())
                made.gone = partial(self.keeper.leave, address)
                return made, name
            self.keeper.tell(plain, clear=self.clear)
        raise BlockingIOError(errno.EAGAIN, "others first")
