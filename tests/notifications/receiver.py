"""A real receiver of notifications: an HTTP server of this machine that does what a test tells it to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from argosy.client import webhooks


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> webhooks.Message:
        return webhooks.verify(self.headers, self.body, secret)

    def verified_at(self, secret: str) -> webhooks.Message:
        """Where time is what a test says: whatever the time."""
        return webhooks.verify(self.headers, self.body, secret, now=float(self.headers["webhook-timestamp"]))


@dataclass
class Receiver:
    """What has come, and what is answered: a status, with headers and a body."""

    url: str
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], tuple[int, Mapping[str, str], bytes]] = lambda got: (204, {}, b"")
    news: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, condition: Callable[[], bool], timeout: float = 60) -> None:
        with self.news:
            assert self.news.wait_for(condition, timeout), [(one.path, one.id) for one in self.got]

    def ids(self) -> list[str]:
        return [one.id for one in self.got]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.time())
            status, headers, content = receiver.answer(got)
            with receiver.news:
                receiver.got.append(got)
                receiver.news.notify_all()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """The service was killed while it was answered."""


@contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody listens, and which nobody else is given meanwhile; `receiving` can be there."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers here have it
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver("")
    server = _Server(("127.0.0.1", port), _handler(receiver))
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
