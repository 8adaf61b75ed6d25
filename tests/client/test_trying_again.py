"""What the clients do where a service is away for a moment, or says when to ask again."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from argosy.client import AsyncClient, Client, Endpoint, ServiceUnreachable
from argosy.client.errors import Patience
from argosy.model import InvalidInput, LimitExceeded, NotFound, Unavailable
from tests.client.cutting import cutting
from tests.rest.fake import TOKEN
from tests.rest.live import Live

pytestmark = pytest.mark.anyio

HERE = Endpoint("http://service.test", TOKEN)
STORED = {
    "path": "f",
    "type": "file",
    "size": 3,
    "modified": "2026-01-01T00:00:00Z",
    "executable": False,
    "etag": '"1"',
}
LATER = {"Retry-After": "0"}


def refused() -> httpx.Response:
    problem = {"title": "t", "status": 429, "detail": "d", "code": "limit-exceeded"}
    return httpx.Response(429, headers=LATER, json=problem)


def away(after: str = "0") -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": after})


class Service:
    """Answers in turn, the last one for ever, and what was asked."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]()

    def client(self, **more: float) -> Client:
        return Client(HERE, transport=httpx.MockTransport(self), **more)


@contextlib.contextmanager
def pipe(data: bytes) -> Iterator[BinaryIO]:
    """An open file that cannot be read twice."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        with os.fdopen(writing, "wb") as sink:
            sink.write(data)
        yield source


class Streamed(httpx.SyncByteStream):
    """A body that is not read before it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self.data


def streamed(data: bytes) -> httpx.Response:
    return httpx.Response(200, stream=Streamed(data))


def opened(kind: str, directory: Path) -> object:
    if kind == "bytes":
        return b"abc"
    if kind == "path":
        (directory / "f").write_bytes(b"abc")
        return directory / "f"
    if kind == "file":
        (directory / "f").write_bytes(b"abc")
        return (directory / "f").open("rb")
    memory = io.BytesIO(b"before abc")
    memory.seek(7)
    return memory


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "memory"])
def test_an_upload_that_was_refused_for_a_limit_is_sent_whole_again(kind: str, tmp_path: Path) -> None:
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append((request.read(), request.headers["Content-Length"]))
        return refused() if len(bodies) < 3 else httpx.Response(201, json=STORED)

    source = opened(kind, tmp_path)
    with Client(HERE, transport=httpx.MockTransport(answer)) as client:
        client.put_file("x", "f", source)
    assert bodies == [(b"abc", "3")] * 3
    if isinstance(source, io.IOBase):
        assert not source.closed
        source.close()


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "memory"])
async def test_the_same_for_an_event_loop(kind: str, tmp_path: Path) -> None:
    bodies = []

    async def answer(request: httpx.Request) -> httpx.Response:
        bodies.append((await request.aread(), request.headers["Content-Length"]))
        return refused() if len(bodies) < 3 else httpx.Response(201, json=STORED)

    source = opened(kind, tmp_path)
    async with AsyncClient(HERE, transport=httpx.MockTransport(answer)) as client:
        await client.put_file("x", "f", source)
    assert bodies == [(b"abc", "3")] * 3
    if isinstance(source, io.IOBase):
        source.close()


def test_a_pipe_that_was_read_is_not_sent_again() -> None:
    service = Service(refused)
    for by_name in (False, True):
        service.asked.clear()
        with pipe(b"abc") as source, service.client() as client, pytest.raises(LimitExceeded):
            client.put_file("x", "f", f"/dev/fd/{source.fileno()}" if by_name else source)
        assert len(service.asked) == 1


async def test_a_pipe_arrives_whole(live: Live) -> None:
    data = bytes(range(256)) * 16384

    def write(fd: int) -> None:
        with os.fdopen(fd, "wb") as sink:
            sink.write(data)

    endpoint = Endpoint(live.addresses.url, TOKEN)
    with Client(endpoint) as client:
        made = await asyncio.to_thread(client.submit, {"executable": "/bin/true"})
        for path in (False, True):
            reading, writing = os.pipe()
            writer = threading.Thread(target=write, args=(writing,))
            writer.start()
            moved: list[int] = []
            with os.fdopen(reading, "rb") as source:
                name = f"/dev/fd/{reading}" if path else source
                await asyncio.to_thread(client.put_file, made.id, "sync", name, progress=moved.append)
            writer.join()
            assert await asyncio.to_thread(client.read_file, made.id, "sync") == data
            assert moved[-1] == len(data)
    async with AsyncClient(endpoint) as other:
        reading, writing = os.pipe()
        writer = threading.Thread(target=write, args=(writing,))
        writer.start()
        with os.fdopen(reading, "rb") as source:
            await other.put_file(made.id, "async", source)
        writer.join()
        assert await other.read_file(made.id, "async") == data
        assert await other.read_file(made.id, "async", size=0) == b""


def test_a_stream_that_is_cut_before_its_first_event_goes_on_from_where_it_began() -> None:
    frames = [b"id: 41\n\n", b"event: end\ndata: {}\n\n"]
    service = Service(*(partial(streamed, frame) for frame in frames))
    with service.client() as client:
        assert list(client.stream(["x"])) == []
    assert [request.headers.get("Last-Event-ID") for request in service.asked] == [None, "41"]


def ask_file(client: Client, directory: Path) -> object:
    return client.get_file("x", "f", directory)


def ask_stream(client: Client, directory: Path) -> object:
    return list(client.stream(["x"]))


def ask_follow(client: Client, directory: Path) -> object:
    return list(client.follow("x", "f"))


@pytest.mark.parametrize("ask", [ask_file, ask_stream, ask_follow])
def test_what_is_told_to_wait_waits(ask: Callable[[Client, Path], object], tmp_path: Path) -> None:
    for error in (refused, away):
        service = Service(error, error, lambda: httpx.Response(404, text="no such thing"))
        with service.client() as client, pytest.raises(NotFound):
            ask(client, tmp_path)
        assert len(service.asked) == 3
        service = Service(lambda: away("9"))
        with service.client(patience=8) as client, pytest.raises(Unavailable):
            ask(client, tmp_path)
        assert len(service.asked) == 1


def test_a_service_that_has_answered_is_given_time_to_come_back() -> None:
    cut = httpx.ConnectError("Connection refused")
    new, known = Patience(12, 0, "here", known=False), Patience(12, 0, "here", known=True)
    for patience, times, seconds in ((new, 3, 1.5), (known, 12, 10.5), (new, 12, 10.5)):
        pauses = []
        with contextlib.suppress(ServiceUnreachable):
            while True:
                pauses.append(patience.after(cut))
        assert (len(pauses), sum(pauses)) == (times, seconds)
        patience.renew()


def test_a_client_knows_that_a_service_has_answered() -> None:
    def gone() -> httpx.Response:
        raise httpx.ConnectError("refused")

    service = Service(lambda: httpx.Response(404, text="-"), gone)
    pauses: list[float] = []
    with service.client() as client:
        client._pause = pauses.append
        with pytest.raises(NotFound):
            client.status("x")
        with pytest.raises(ServiceUnreachable, match="refused"):
            client.status("x")
    assert len(pauses) == 12


def test_a_service_with_another_address_is_found(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_HOME", str(tmp_path))
    monkeypatch.delenv("ARGOSY_URL", raising=False)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    with cutting(live.addresses.url) as cutter:
        (tmp_path / "endpoint.json").write_text(json.dumps({"url": cutter.url}))
        client = Client()
        assert client.service().version == "0.test"
    with client:
        (tmp_path / "endpoint.json").write_text(json.dumps({"url": live.addresses.url}))
        assert client.service().version == "0.test"
        assert client.endpoint.url == live.addresses.url


@pytest.mark.parametrize("key", ["", " a ", "a\nb", "schlüssel", "k" * 256])
def test_a_submission_id_that_cannot_be_sent_is_refused(key: str) -> None:
    service = Service(lambda: httpx.Response(500))
    job = {"executable": "/bin/true"}
    with service.client() as client:
        for submit in (lambda: client.submit(job, key=key), lambda: client.submit_sweep(b"{}", key=key)):
            with pytest.raises(InvalidInput) as refused:
                submit()
            assert refused.value.element == "key"
    assert service.asked == []


def test_a_stream_that_is_the_first_thing_asked_outlasts_a_restart_too() -> None:
    def away_again() -> httpx.Response:
        raise httpx.ConnectError("refused")

    service = Service(lambda: streamed(b"id: 1\n\n"), away_again)
    pauses: list[float] = []
    with service.client() as client:
        client._pause = pauses.append
        with pytest.raises(ServiceUnreachable):
            list(client.stream(["x"]))
    assert len(pauses) == 12


def test_each_time_a_stream_is_taken_up_it_waits_as_long_as_it_may() -> None:
    answers = [partial(streamed, b"id: 1\n\n"), lambda: away("5")] * 8
    service = Service(*answers, partial(streamed, b"event: end\ndata: {}\n\n"))
    with service.client(patience=30) as client:
        client._pause = lambda seconds: None
        assert list(client.stream(["x"])) == []
    assert len(service.asked) == 17


def test_many_files_are_followed_by_one_client(live: Live) -> None:
    with Client(Endpoint(live.addresses.url, TOKEN)) as client:
        made = client.submit({"executable": "/bin/true"})
        live.do(live.operations.write, made.id, "f", b"one")
        following = [client.follow(made.id, "f") for _ in range(110)]
        assert {next(one) for one in following} == {b"one"}
        assert client.status(made.id).id == made.id
        for one in following:
            one.close()
