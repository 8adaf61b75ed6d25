"""A web server that files come from and go to, and that can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 64 * 1024


class Place:
    """`files` by path. `answers` gives paths a status instead; those in `short` end after half; `slow` ones after half
    wait for `go`. `begun` is set when a slow one has sent its half, or when a byte of an upload has come."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, int] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.short: set[str] = set()
        self.slow: set[str] = set()
        self.go = threading.Event()
        self.begun = threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    def count(self, method: str, path: str) -> int:
        return self.asked.count((method, path))


def _handler(place: Place) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in (headers | place.headers.get(self.path, {})).items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _refused(self) -> bool:
            place.asked.append((self.command, self.path))
            status = place.answers.get(self.path)
            if status is not None:
                self._answer(status, b"so says the server")
            return status is not None

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if self._refused():
                return
            data = place.files.get(self.path)
            if data is None:
                self._answer(404, b"nothing here")
            elif self.command == "GET" and (self.path in place.short or self.path in place.slow):
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                place.begun.set()
                if self.path in place.slow and place.go.wait(60):
                    self.wfile.write(data[len(data) // 2 :])
                self.close_connection = True
            else:
                self._answer(200, data)

        def do_PUT(self) -> None:
            if self._refused():
                self.close_connection = True
                return
            left, data = int(self.headers["Content-Length"]), b""
            while left:
                piece = self.rfile.read(min(left, PIECE))
                if not piece:
                    return
                left -= len(piece)
                data += piece
                place.begun.set()
                if self.path in place.slow:
                    place.go.wait(60)
            place.files[self.path] = data
            self._answer(201, Digest="sha-256=" + hashlib.sha256(data).hexdigest())

    return Handler


@contextmanager
def running() -> Iterator[Place]:
    """A place on a port of this machine."""
    place = Place()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the other side has gone

    server = Server(("127.0.0.1", 0), _handler(place))
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield place
    finally:
        place.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
