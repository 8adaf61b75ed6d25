"""A web server that can be told to misbehave, in the way that a test names."""

from __future__ import annotations

import base64
import hashlib
import http.server
import socket
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Page:
    """What is at one path. `behave` are the ways in which it is answered, one a request; after the last one well."""

    data: bytes
    behave: list[str] = field(default_factory=list)
    etag: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None


class FaultyWeb:
    """Serves pages on the loopback; keeps what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.go = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.web = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, path: str, data: bytes, *behave: str, **more: object) -> str:
        self.pages[path] = Page(data, list(behave), **more)
        return self.url + path

    def stop(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    web: FaultyWeb
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away are what is tested


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        web = self.server.web
        web.asked.append(("PUT", self.path, dict(self.headers)))
        page = web.pages.get(self.path)
        way = page.behave.pop(0) if page is not None and page.behave else ""
        if way == "refuse":
            self._plain(403, b"<html><title>Not for you</title></html>")
            self.close_connection = True
            return
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if way == "busy":
            self._plain(503, b"later", {"Retry-After": "0"})
        elif way == "full":
            self._plain(507, b"the disk is full")
        elif self.headers.get("If-None-Match") == "*" and page is not None:
            self._plain(412, b"")
        else:
            web.pages[self.path] = Page(data[:-1] if way == "lose a byte" else data)
            self._plain(201, b"")

    def _plain(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer(self) -> None:
        web = self.server.web
        with web.lock:
            web.at_once += 1
            web.most_at_once = max(web.at_once, web.most_at_once)
        self._counted = True
        try:
            self._answered()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Count no more as under way: whoever has the whole answer asks for the next before this thread goes on."""
        if self._counted:
            self._counted = False
            with self.server.web.lock:
                self.server.web.at_once -= 1

    def _answered(self) -> None:
        web = self.server.web
        web.asked.append((self.command, self.path, dict(self.headers)))
        page = web.pages.get(self.path)
        if page is None:
            self._plain(404, b"nothing is here")
            return
        if page.token is not None and self.headers.get("Authorization") != f"Bearer {page.token}":
            self._plain(401, b"who are you?")
            return
        way = page.behave.pop(0) if page.behave and self.command == "GET" else ""
        name, _, argument = way.partition(" ")
        special: Callable[[Page, str], None] | None = getattr(self, f"_way_{name.replace('-', '_')}", None)
        if special is not None:
            special(page, argument)
        else:
            self._good(page)

    def _good(self, page: Page, *, ranges: bool = True, send: int | None = None) -> None:
        data, status = page.data, 200
        headers = dict(page.headers)
        if page.etag is not None:
            headers["ETag"] = page.etag
            if self.headers.get("If-None-Match") == page.etag:
                self._plain(304, b"", headers)
                return
        wanted = self.headers.get("Range")
        if wanted and ranges and self.headers.get("If-Range") in (None, page.etag):
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= len(data):
                self._plain(416, b"")
                return
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            data, status = data[first:], 206
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self._leave()
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if send is None else data[:send])

    def _way_wait(self, page: Page, argument: str) -> None:
        self.server.web.go.wait(0.05)
        self._good(page)

    def _way_busy(self, page: Page, argument: str) -> None:
        self._plain(503, b"come back later", {"Retry-After": argument} if argument else {})

    def _way_status(self, page: Page, argument: str) -> None:
        self._plain(int(argument), b"it is like that")

    def _way_cut(self, page: Page, argument: str) -> None:
        self._good(page, send=int(argument))
        self._hang_up()

    def _way_cut_without_range(self, page: Page, argument: str) -> None:
        self._good(page, ranges=False, send=int(argument))
        self._hang_up()

    def _way_no_range(self, page: Page, argument: str) -> None:
        self._good(page, ranges=False)

    def _way_hang_up(self, page: Page, argument: str) -> None:
        self._hang_up()

    def _way_hang(self, page: Page, argument: str) -> None:
        self._good(page, send=int(argument))
        self.wfile.flush()
        self.server.web.go.wait(60)
        self.close_connection = True

    def _way_slow(self, page: Page, argument: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(page.data)))
        self.end_headers()
        for byte in page.data:
            if self.server.web.go.wait(0.05):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def _way_spoil(self, page: Page, argument: str) -> None:
        self._good(Page(bytes(255 - byte for byte in page.data), etag=page.etag, headers=page.headers))

    def _way_longer(self, page: Page, argument: str) -> None:
        self._good(Page(page.data + b"more", etag=page.etag, headers=page.headers))

    def _way_unknown_length(self, page: Page, argument: str) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page.data)
        self.close_connection = True

    def _way_to(self, page: Page, argument: str) -> None:
        self._plain(302, b"", {"Location": argument})

    def _way_circle(self, page: Page, argument: str) -> None:
        page.behave.append("circle")
        self._plain(302, b"", {"Location": self.path})

    def _way_spiral(self, page: Page, argument: str) -> None:
        page.behave.append("spiral")
        self.server.web.pages[self.path + "x"] = page
        self._plain(307, b"", {"Location": self.path + "x"})

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


def digest_headers(data: bytes) -> dict[str, dict[str, str]]:
    """Headers that state a file's checksum, in each form."""
    sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    return {
        "repr": {"Repr-Digest": f"sha-256=:{sha}:"},
        "digest-sha": {"Digest": f"SHA-256={sha}"},
        "digest-md5": {"Digest": f"md5={md5}"},
        "digest-adler": {"Digest": f"adler32={zlib.adler32(data):08x}"},
        "content-md5": {"Content-MD5": md5},
    }


def past(seconds: float) -> str:
    """A time that has gone by, as HTTP writes it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - seconds))
