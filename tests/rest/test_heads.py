"""Who has not shown yet who it is gets neither the server's memory nor its patience."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from argosy.endpoints import peer
from tests.rest.fake import TOKEN
from tests.rest.live import Live

_AUTHORIZED = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"


def _connect(live: Live) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(live.addresses.url.rpartition(":")[2])), timeout=20)


def _sent(raw: socket.socket, pieces: Iterator[bytes]) -> tuple[int, bytes]:
    """How much the server took before it closed, and what it answered."""
    count = 0
    try:
        for piece in pieces:
            raw.sendall(piece)
            count += len(piece)
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    except ConnectionError:
        answer = b""
    return count, answer


@pytest.mark.parametrize(
    "start",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nX: ",
        b"GET / HTTP/1.1\r\nX",
        b"POST /v1/activities HTTP/1.1\r\n" + _AUTHORIZED.encode() + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
)
def test_a_head_without_end_is_cut_off(live: Live, start: bytes) -> None:
    most = 64 * 1024 * 1024

    def pieces() -> Iterator[bytes]:
        yield start
        for _ in range(most // 65536):
            yield b"a" * 65536

    with _connect(live) as raw:
        count, _ = _sent(raw, pieces())
    assert count < most // 2


def test_many_headers_are_cut_off_and_a_long_one_is_not(live: Live) -> None:
    def many() -> Iterator[bytes]:
        yield b"GET /v1/shares HTTP/1.1\r\n"
        for _ in range(1_000):
            yield b"X: a\r\n" * 10_000

    with _connect(live) as raw:
        assert _sent(raw, many())[0] < 30_000_000
    with _connect(live) as raw:
        raw.sendall(f"GET /v1/shares HTTP/1.1\r\n{_AUTHORIZED}X: {'a' * 300_000}\r\nConnection: close\r\n\r\n".encode())
        assert raw.recv(15) == b"HTTP/1.1 200 OK"


def test_a_head_is_measured_and_not_the_pieces_that_it_comes_in(live: Live) -> None:
    """Nor the body that comes with its end."""
    for size, status in ((700_000, 431), (peer.MAX_HEAD + 1, 431), (peer.MAX_HEAD - 2_000, 422)):
        head = f"POST /v1/activities HTTP/1.1\r\n{_AUTHORIZED}Connection: close\r\nContent-Length: 300000\r\n".encode()
        body = b'{"executable": 1}'.ljust(300_000)
        with _connect(live) as raw:
            _, answer = _sent(raw, iter([head + b"X: " + b"a" * size, b"\r\n\r\n" + body]))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()) or (status == 431 and not answer), size


@pytest.mark.parametrize("words", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET  HTTP/9\r\n\r\n"])
def test_what_is_no_http_is_answered_as_all_faults_are(live: Live, words: bytes) -> None:
    with _connect(live) as raw:
        _, answer = _sent(raw, iter([words]))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "malformed")


def test_a_slow_head_is_not_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "HEAD_TIME", 0.3)
    for start in (b"", b"\r\n", b"GET /v1/shares HTTP/1.1\r\nX: "):
        with _connect(live) as raw:
            began = time.monotonic()
            raw.sendall(start)
            assert raw.recv(100) == b""
            assert time.monotonic() - began < 10
    # A connection that has had its answer may say nothing for longer, and its next head is bounded again.
    with monkeypatch.context() as patched:
        patched.setattr(peer, "HEAD_TIME", 60.0)  # before it has asked for anything it may not
        raw = _connect(live)
        _asks(raw)
    with raw:
        for _ in range(2):
            _asks(raw)
            time.sleep(0.5)
        raw.sendall(b"GET /v1/shares HTT")
        assert raw.recv(100) == b""


def _asks(raw: socket.socket) -> None:
    raw.sendall(f"HEAD /v1/openapi.json HTTP/1.1\r\n{_AUTHORIZED}\r\n".encode())
    assert raw.recv(65536).startswith(b"HTTP/1.1 ")


def test_the_memory_of_a_service_is_its_own() -> None:
    code = (
        "import ctypes; from argosy.endpoints.undumped import keep_memory as k; k(); print(ctypes.CDLL(None).prctl(3))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"0\n"
