from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from argosy.endpoints.server import Addresses, serve
from argosy.model import Conflict, Unavailable
from tests.rest.fake import TOKEN
from tests.rest.live import Live, live_server

pytestmark = pytest.mark.anyio

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


async def started(**options: Any) -> tuple[asyncio.Task[None], Addresses, asyncio.Event]:
    stop = asyncio.Event()
    ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(hello, ready=ready.set_result, stop=stop, **options))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    return task, ready.result(), stop


def test_both_sockets_answer_alike_and_the_unix_one_is_private(live: Live) -> None:
    path = live.addresses.socket
    assert path is not None
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert live.addresses.url.startswith("http://127.0.0.1:")
    with httpx.Client(transport=httpx.HTTPTransport(uds=path), headers=HEADERS) as unix:
        over_unix = unix.get("http://localhost/v1/shares")
    over_tcp = httpx.get(live.addresses.url + "/v1/shares", headers=HEADERS)
    assert over_unix.json() == over_tcp.json() != []
    assert httpx.get(live.addresses.url + "/v1/shares").status_code == 401
    live.close()
    assert not os.path.exists(path)
    with pytest.raises(httpx.ConnectError):
        httpx.get(live.addresses.url + "/v1/shares")


def test_paths_are_as_the_client_wrote_them(live: Live) -> None:
    """Real servers decode paths by themselves; what matters is what they were."""
    from argosy.languages.native import Description
    from argosy.service.contract import CreateRequest
    from tests.rest.fake import CALLER

    (made,) = live.do(live.operations.create, CALLER, [CreateRequest(Description(executable="x"))])
    base = f"{live.addresses.url}/v1/activities/{made.activity.id}/files/"
    for written, path in (("a%2Fb", "a/b"), ("c%20%0Ad", "c \nd"), ("%C3%A9", "é"), ("%25", "%")):
        assert httpx.put(base + written, content=b"x", headers=HEADERS).status_code == 201
        assert path in live.operations.files[made.activity.id]
    for target in ("%2e%2e/x", "../x"):
        with socket.create_connection(("127.0.0.1", int(live.addresses.url.rpartition(":")[2]))) as raw:
            raw.sendall(
                f"GET /v1/activities/{made.activity.id}/files/{target} HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: raw.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 422 "), answer


def test_a_large_upload_is_not_held_in_memory_by_the_endpoint(live: Live) -> None:
    from argosy.languages.native import Description
    from argosy.service.contract import CreateRequest
    from tests.rest.fake import CALLER

    (made,) = live.do(live.operations.create, CALLER, [CreateRequest(Description(executable="x"))])
    address = f"{live.addresses.url}/v1/activities/{made.activity.id}/files/big"
    size = 20 * 1024 * 1024
    sent = httpx.put(address, content=(b"x" * 65536 for _ in range(size // 65536)), headers=HEADERS, timeout=30)
    assert (sent.status_code, sent.json()["size"]) == (201, size)
    assert len(httpx.get(address, headers=HEADERS, timeout=30).content) == size


async def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    path = str(directory / "socket")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    task, addresses, stop = await started(socket_path=path)
    assert addresses.socket == path
    with pytest.raises(Conflict, match="another service"):
        await serve(hello, socket_path=path)
    stop.set()
    await task
    assert not os.path.exists(path)


async def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    (directory / "socket").write_text("precious")
    with pytest.raises(Conflict, match="in the way"):
        await serve(hello, socket_path=str(directory / "socket"))
    assert (directory / "socket").read_text() == "precious"


async def test_an_open_directory_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    directory.chmod(0o755)
    with pytest.raises(Unavailable, match="chmod 700"):
        await serve(hello, socket_path=str(directory / "socket"))


async def test_a_path_that_is_too_long_leaves_tcp(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        task, addresses, stop = await started(socket_path=str(tmp_path / ("x" * 100) / "socket"))
    assert addresses.socket is None
    assert "no Unix socket" in caplog.text
    async with httpx.AsyncClient() as http:
        assert (await http.get(addresses.url)).text == "hi"
    stop.set()
    await task


async def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Unavailable, match="choose another"):
        await serve(hello, port=taken.getsockname()[1])


async def test_cancelling_stops_it_too(tmp_path: Path) -> None:
    task, addresses, _ = await started()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(addresses.url)


def test_two_servers_in_turn_can_use_the_same_directory(tmp_path: Path) -> None:
    for _ in range(2):
        with live_server(tmp_path) as server:
            assert httpx.get(server.addresses.url + "/v1", headers=HEADERS).status_code == 200
