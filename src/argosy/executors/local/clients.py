"""The reaper's clients: connections over a unix socket, one JSON object in a line each way. Standard library only.

A request has ``do``, what that needs, and an ``id`` that its answer repeats: ``{"id":1,"answer":...}`` or
``{"id":1,"error":"..."}``. What happens to jobs is told to every client: ``{"jobs":[state,...]}``.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
from collections.abc import Iterator
from typing import Any

#: The longest request, and how much a client may leave unread before it is cut off, in bytes.
LIMIT = 64 * 2**20


class Client:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.waits = False


class Clients:
    """All connections, in the selector of the loop."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._all: set[Client] = set()
        self._listener: socket.socket | None = None

    def __bool__(self) -> bool:
        return bool(self._all)

    def listen(self, listener: socket.socket) -> None:
        """Take connections from this socket."""
        listener.setblocking(False)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ, listener)

    def ready(self, key: selectors.SelectorKey, events: int) -> Iterator[tuple[Client, dict[str, Any]]]:
        """Serve a socket that is ready; the whole requests that came."""
        if key.data is self._listener:
            self._accept()
            return
        client: Client = key.data
        if client not in self._all:
            return
        if events & selectors.EVENT_WRITE:
            self._send(client)
        if not events & selectors.EVENT_READ or client not in self._all:
            return
        try:
            data = client.socket.recv(2**20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(client.incoming) > LIMIT:
            self._drop(client)
            return
        client.incoming += data
        if b"\n" not in data:
            return
        *lines, rest = client.incoming.split(b"\n")
        client.incoming = rest
        for line in lines:
            try:
                request = json.loads(line)
            except ValueError:
                request = None
            if isinstance(request, dict) and "do" in request:
                yield client, request
            else:
                self._write(client, {"id": None, "error": "a request is a JSON object with `do`"})

    def answer(self, client: Client, request: dict[str, Any], answer: Any) -> None:
        """Answer a request."""
        self._write(client, {"id": request.get("id"), "answer": answer})

    def refuse(self, client: Client, request: dict[str, Any], error: Exception) -> None:
        """Answer a request that makes no sense."""
        self._write(client, {"id": request.get("id"), "error": f"not a request: {error!r}"})

    def tell(self, states: list[dict[str, Any]], client: Client | None = None) -> None:
        """Tell every client, or one, how these jobs are."""
        if self._all:
            line = _line({"jobs": states})
            for told in self._all if client is None else (client,):
                told.outgoing += line

    def flush(self) -> None:
        """Send what there is to send. A client that does not read is cut off: it asks again when it comes back."""
        for client in list(self._all):
            if client.outgoing and not client.waits:
                self._send(client)

    def _write(self, client: Client, message: dict[str, Any]) -> None:
        client.outgoing += _line(message)

    def _send(self, client: Client) -> None:
        try:
            sent = client.socket.send(client.outgoing) if client.outgoing else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(client)
            return
        del client.outgoing[:sent]
        if len(client.outgoing) > LIMIT:
            self._drop(client)
            return
        if bool(client.outgoing) != client.waits:
            client.waits = not client.waits
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waits else 0)
            self._selector.modify(client.socket, wanted, client)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # whoever it was is gone, or comes again
        if peer_uid(connection) != os.geteuid():
            connection.close()
            return
        connection.setblocking(False)
        client = Client(connection)
        self._all.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _drop(self, client: Client) -> None:
        self._all.discard(client)
        self._selector.unregister(client.socket)
        client.socket.close()


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end of a unix socket."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
