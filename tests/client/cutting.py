"""A TCP proxy that cuts connections after so many bytes of the answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Cutter:
    """`cuts` says for each connection in turn after how many bytes of the answer it is cut; None, or no more: never."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.cuts: list[int | None] = []
        self.connections = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            limit = self.cuts.pop(0) if self.cuts else None
            server = socket.create_connection(self._target)
            self._open += [client, server]
            for source, sink, allowed in ((client, server, None), (server, client, limit)):
                thread = threading.Thread(target=self._pump, args=(source, sink, allowed))
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, allowed: int | None) -> None:
        with contextlib.suppress(OSError):
            while allowed is None or allowed > 0:
                data = source.recv(65536 if allowed is None else min(allowed, 65536))
                if not data:
                    break
                sink.sendall(data)
                if allowed is not None:
                    allowed -= len(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for each in self._open:
            each.close()


@contextmanager
def cutting(url: str) -> Iterator[Cutter]:
    host, _, port = url.removeprefix("http://").partition(":")
    cutter = Cutter((host, int(port)))
    try:
        yield cutter
    finally:
        cutter.close()
