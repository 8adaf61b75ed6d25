"""How many connections there may be, and that those who hold theirs open keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from argosy.endpoints import listening, peer
from argosy.endpoints.listening import Gatekeeper, Listener
from argosy.service.administration.limits import Limits
from tests.rest.fake import TOKEN
from tests.rest.live import Live, live_server
from tests.waiting import until

pytestmark = pytest.mark.anyio

_ASKED = f"GET /v1/shares HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Conn:
    def __init__(self) -> None:
        self.away = False

    def give_way(self) -> None:
        self.away = True


def test_who_has_waited_longest_gives_way_and_nobody_who_works() -> None:
    clock = Clock()
    keeper = Gatekeeper(3, 2, clock)
    working, first, second = Conn(), Conn(), Conn()
    assert [keeper.enter("a"), keeper.enter("b"), keeper.enter("b")] == [True] * 3
    keeper.waits(working, "a")
    keeper.works(working)
    keeper.waits(first, "b")
    clock.now += 1
    keeper.waits(second, "b")
    assert not keeper.enter("c")  # nobody has waited long enough
    clock.now += listening.PATIENCE
    assert keeper.enter("c")
    assert (first.away, second.away, working.away) == (True, False, False)
    keeper.leave("b")  # as it goes
    assert keeper.enter("b")  # its address has room, and all together have none: the second goes
    assert second.away
    keeper.leave("b")
    assert not keeper.enter("d")
    assert keeper.refused == 2
    for address in ("a", "b", "c"):
        keeper.leave(address)
    assert keeper.count == 0
    assert keeper._addresses == {}


def test_an_address_that_is_full_loses_its_own_and_not_those_of_others() -> None:
    clock = Clock()
    keeper = Gatekeeper(0, 1, clock)
    mine, theirs = Conn(), Conn()
    assert keeper.enter("them")
    keeper.waits(theirs, "them")
    assert keeper.enter("me")
    keeper.waits(mine, "me")
    clock.now += 2 * listening.PATIENCE
    assert keeper.enter("me")
    assert (mine.away, theirs.away) == (True, False)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path, Limits(connections=220, connections_per_address=200)) as server:
        yield server


def _connect(live: Live, source: str = "127.0.0.1") -> socket.socket:
    address = ("127.0.0.1", int(live.addresses.url.rpartition(":")[2]))
    return socket.create_connection(address, timeout=20, source_address=(source, 0))


def _answer(live: Live, source: str = "127.0.0.1") -> bytes:
    with _connect(live, source) as raw:
        raw.sendall(f"{_ASKED}Connection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: raw.recv(65536), b""))


def _let_in(live: Live, source: str = "127.0.0.1") -> None:
    """It is let in, at once or as soon as the server has seen that those before it say nothing."""
    until(lambda: _answer(live, source).startswith(b"HTTP/1.1 200"))


def test_half_open_connections_keep_nobody_out(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PATIENCE", 3600.0)  # however long it takes here to open them all
    with ExitStack() as held:
        for number in range(200):
            raw = held.enter_context(_connect(live, "127.0.0.2"))
            raw.sendall(_ASKED.encode() if number % 2 else b"")  # a head that does not end, or none
        assert _answer(live).startswith(b"HTTP/1.1 200")  # another address has room
        full = _answer(live, "127.0.0.2")
        assert full.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in full
        for _ in range(20):
            held.enter_context(_connect(live, "127.0.0.3")).sendall(b"G")
        assert _answer(live).startswith(b"HTTP/1.1 503")  # none is left at all
        monkeypatch.setattr(listening, "PATIENCE", 0.0)
        _let_in(live)  # the oldest half-open ones give way
        _let_in(live, "127.0.0.2")


def test_a_connection_with_a_request_under_way_is_never_given_up(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PATIENCE", 0.0)
    with ExitStack() as held:
        polling = held.enter_context(_connect(live))
        stream = _ASKED.replace("/v1/shares", "/v1/events")
        polling.sendall(f"{stream}Accept: text/event-stream\r\n\r\n".encode())
        assert polling.recv(12) == b"HTTP/1.1 200"
        for _ in range(300):
            held.enter_context(_connect(live))
        _let_in(live)
        assert not _closed_within(polling, 0.3)


def _closed_within(raw: socket.socket, seconds: float) -> bool:
    raw.settimeout(seconds)
    try:
        while raw.recv(65536):
            pass
    except TimeoutError:
        return False
    return True


def test_a_body_that_does_not_come_is_not_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "BODY_TIME", 0.3)
    head = _ASKED.replace("GET /v1/shares", "POST /v1/activities") + "Content-Type: application/json\r\n"
    with _connect(live) as raw:
        began = time.monotonic()
        raw.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert raw.recv(100) == b""
        assert time.monotonic() - began < 10
    until(lambda: _slowly(live, head) == b"HTTP/1.1 ")  # slow, and not too slow


def _slowly(live: Live, head: str) -> bytes:
    """What is answered to a body that comes in small pieces; nothing where this machine has made one of them late."""
    answer = b""
    with _connect(live) as raw:
        times = [time.monotonic()]
        with contextlib.suppress(ConnectionError):
            raw.sendall(f"{head}Content-Length: 12\r\nConnection: close\r\n\r\n".encode())
            for piece in b'{"nothing":1':
                time.sleep(0.05)
                raw.sendall(bytes([piece]))
                times.append(time.monotonic())
            answer = raw.recv(9)
        times.append(time.monotonic())
    late = any(later - earlier > 0.2 for earlier, later in pairwise(times))
    assert answer or late, "it was cut off, and no piece was late"
    return answer


async def test_a_closed_socket_is_counted_out_once() -> None:
    keeper = Gatekeeper(1, 0, asyncio.get_running_loop().time)
    with Listener(socket.AF_INET) as listener:
        listener.keeper = keeper
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()), socket.create_connection(listener.getsockname()) as late:
            taken, _ = listener.accept()
            with pytest.raises(BlockingIOError):
                listener.accept()
            assert (keeper.count, keeper.refused) == (1, 1)
            assert late.recv(12) == b"HTTP/1.1 503"
            taken.close()
            taken.close()
            assert keeper.count == 0
    keeper.close()
