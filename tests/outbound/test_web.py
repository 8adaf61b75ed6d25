"""The client for web servers: what servers say, well and badly, and what is said to them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import pytest

from argosy.model import InvalidInput, NotAllowed, Unavailable
from argosy.outbound import OutboundPolicy, Url
from argosy.outbound.http1 import MAX_HEAD
from argosy.outbound.web import Client, WebFault
from tests.waiting import until_async

pytestmark = pytest.mark.anyio
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each request with the next of some texts; None closes the connection."""

    def __init__(self, *says: bytes | None) -> None:
        self.says = list(says)
        self.heard: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.says:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
                )
                self.heard.append(head + await reader.readexactly(int(size.partition(b":")[2])))
                said = self.says.pop(0)
                if said is None:
                    return
                writer.write(said)
                await writer.drain()
                if b"\r\n\r\n" in said and b"Length" not in said and b"chunked" not in said and b"204" not in said:
                    return


@contextlib.asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[str]:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client(OutboundPolicy(["127.0.0.0/8"]), ssl.create_default_context(), connecting=60, idle=60)
    yield made
    made.close()


@pytest.fixture
async def hasty(client: Client) -> Client:
    """One that soon gives up a server that says nothing."""
    client._idle = 0.4
    return client


def good(body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), more, body)


async def read(client: Client, url: str, method: str = "GET") -> bytes:
    async with client.ask(method, Url.parse(url), {}) as answer:
        return await answer.read()


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (good(b"hello"), b"hello"),
        (good(b""), b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
            b"abcde",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + good(b"x"), b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil its end", b"until its end"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b""),
    ],
)
async def test_answers_of_all_kinds(client: Client, said: bytes, body: bytes) -> None:
    server = Server(said)
    async with serving(server.handle) as url:
        assert await read(client, f"{url}/a") == body


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "ended too early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "ended too early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", "is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "not asked for"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "is no HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is no HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * (MAX_HEAD + 1), "more than"),
        (b"", "ended too early|without an answer"),
        (None, "without an answer"),
    ],
)
async def test_answers_that_are_none(client: Client, said: bytes | None, words: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said or b"")
            await writer.drain()

    async with serving(handle) as url:
        with pytest.raises(WebFault, match=words):
            await read(client, f"{url}/a")


async def test_headers_in_any_case_and_what_is_asked(client: Client) -> None:
    server = Server(good(b"", b"X-Thing:  one \r\nx-thing: two\r\nETag: \xe9\r\n"))
    async with serving(server.handle) as url:
        where = Url.parse(f"{url}/ä/b%20c?d=é&e")
        async with client.ask("GET", where, {"Accept": "*/*"}) as answer:
            assert (answer.status, answer.reason) == (200, "OK")
            assert answer.headers["x-Thing"] == "one"
            assert answer.headers.get("etag") == "é"
            assert "Not-There" not in answer.headers
        head = f"GET /%C3%A4/b%20c?d=%C3%A9&e HTTP/1.1\r\nHost: {where.place}\r\nAccept: */*\r\n\r\n"
        assert server.heard == [head.encode()]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "é"])
async def test_nothing_is_smuggled_into_a_head(client: Client, value: str) -> None:
    server = Server(good(b""))
    async with serving(server.handle) as url:
        with pytest.raises(InvalidInput):
            async with client.ask("GET", Url.parse(f"{url}/a"), {"Authorization": value}):
                pass
    assert server.heard == []


async def test_connections_are_used_again(client: Client) -> None:
    server = Server(good(b"1"), b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", good(b"3"), good(b"4"))
    async with serving(server.handle) as url:
        assert await read(client, f"{url}/1") == b"1"
        assert await read(client, f"{url}/2", "HEAD") == b""
        assert await read(client, f"{url}/3") == b"3"
        async with client.ask("GET", Url.parse(f"{url}/4"), {}):
            pass  # small, and not read
    assert server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        good(b"1") + b"more than was asked for",
        good(b"1") + good(b"smuggled"),
        good(b"1", b"Connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
    ],
)
async def test_connections_that_are_not_used_again(client: Client, said: bytes) -> None:
    server = Server(said, good(b"2"))
    async with serving(server.handle) as url:
        assert await read(client, f"{url}/1") == b"1"
        assert await read(client, f"{url}/2") == b"2"
    assert server.connections == 2


async def test_an_answer_that_was_not_taken_whole_ends_its_connection(client: Client) -> None:
    server = Server(good(b"x" * 8_000_000), good(b"2"))
    async with serving(server.handle) as url:
        async with client.ask("GET", Url.parse(f"{url}/1"), {}) as answer:
            assert await answer.read(10) == b"x" * 10
        assert await read(client, f"{url}/2") == b"2"
    assert server.connections == 2


@pytest.mark.parametrize(("method", "again"), [("GET", True), ("PUT", True), ("POST", False)])
async def test_a_kept_connection_that_has_ended(client: Client, method: str, again: bool) -> None:
    server = Server(good(b"1"), None, good(b"2"))
    async with serving(server.handle) as url:
        assert await read(client, f"{url}/1") == b"1"
        if again:
            assert await read(client, f"{url}/2", method) == b"2"
        else:
            with pytest.raises(WebFault):
                await read(client, f"{url}/2", method)
    assert len(server.heard) == (3 if again else 2)


async def test_a_server_that_says_nothing(hasty: Client) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read()

    async with serving(handle) as url:
        async with asyncio.timeout(60):
            with pytest.raises(TimeoutError, match="does not answer"):
                await read(hasty, f"{url}/a")


async def test_who_takes_its_time_with_an_answer_is_not_given_up(hasty: Client) -> None:
    server = Server(good(b"x" * 8_000_000))
    async with serving(server.handle) as url, hasty.ask("GET", Url.parse(f"{url}/a"), {}) as answer:
        await asyncio.sleep(1)  # more than may pass without a sign of the server
        hasty._idle = 60.0  # the server, in this event loop too, may take its time with the rest
        held = answer._connection._held
        assert held < 3_000_000
        assert len(await answer.read()) == 8_000_000


async def _body(*pieces: bytes) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


async def test_files_are_sent(client: Client) -> None:
    server = Server(good(b"1"), good(b"2"), good(b"3"))
    async with serving(server.handle) as url:
        where = Url.parse(f"{url}/a")
        for body, size in ((lambda: _body(b"ab", b"c"), 3), (lambda: _body(), 0), (lambda: b"abc", 3)):
            async with client.ask("PUT", where, {}, body, size) as answer:
                await answer.read()
        assert [said.partition(b"\r\n\r\n")[2] for said in server.heard] == [b"abc", b"", b"abc"]
        assert server.connections == 1


@pytest.mark.parametrize("pieces", [(b"ab",), (b"ab", b"cd")])
async def test_a_file_of_another_size_than_was_said(client: Client, pieces: tuple[bytes, ...]) -> None:
    server = Server(good(b"1"), good(b"2"))
    async with serving(server.handle) as url:
        with pytest.raises(WebFault, match="to be sent than was said"):
            async with client.ask("PUT", Url.parse(f"{url}/a"), {}, lambda: _body(*pieces), 3):
                pass
        assert await read(client, f"{url}/2") in (b"1", b"2")
    assert server.connections == 2


async def test_a_server_that_refuses_before_it_has_all(client: Client) -> None:
    """It is no longer sent to; the connection is not used again."""
    sent = 0

    async def much() -> AsyncGenerator[bytes, None]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 1_000_000

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await done.wait()

    done = asyncio.Event()
    async with serving(handle) as url:
        async with client.ask("PUT", Url.parse(f"{url}/a"), {}, much, 1_000_000_000) as answer:
            assert answer.status == 403
        done.set()
    assert sent < 100
    assert not client._busy
    assert not any(client._kept.values())


async def test_kept_connections_are_closed_in_the_end(client: Client) -> None:
    made = Client(OutboundPolicy(["127.0.0.0/8"]), ssl.create_default_context(), connecting=60, idle=3600, keep=0.2)
    server = Server(good(b"1"), good(b"2"))
    async with serving(server.handle) as url:
        assert await read(made, f"{url}/1") == b"1"
        assert sum(map(len, made._kept.values())) == 1
        await until_async(lambda: not made._kept)
        assert await read(made, f"{url}/2") == b"2"
    assert server.connections == 2
    made.close()
    assert not made._kept


async def test_where_nobody_is_and_where_nobody_may_go(client: Client) -> None:
    async with serving(Server().handle) as url:
        pass
    with pytest.raises(Unavailable, match="refused"):
        await read(client, url)
    with pytest.raises(NotAllowed):
        await read(client, "http://10.0.0.1/a")
