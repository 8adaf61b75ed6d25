"""Vectors of creations that are long in bytes: read as they come, made once they are whole, answered in their order."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from argosy.client import AsyncClient, Description, Endpoint
from argosy.model import TooLarge
from tests.service.running import RunningService

WORDS = " ".join(f"word{number}" for number in range(500))
HELD = {"executable": "/bin/true", "held": True}


def described(number: int) -> Description:
    """Some 4 KiB, as real ones have: a long environment, an input file with a script."""
    return Description(
        executable="/bin/sh",
        arguments=["-c", f"echo {number}"],
        name=f"n{number}",
        environment={"NUMBER": str(number), "WORDS": WORDS},
        held=True,
    )


def memory(pid: int, what: str) -> int:
    """Of a process, in MiB: VmRSS now, VmHWM at most so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) // 1024
    raise AssertionError(what)


@pytest.fixture
def started(service: RunningService) -> RunningService:
    (service.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    service.start()
    return service


def address(service: RunningService) -> tuple[str, str]:
    url = json.loads((service.directory / "endpoint.json").read_text())["url"]
    return url, (service.directory / "token").read_text().strip()


def posting(service: RunningService, **more: Any) -> httpx.Client:
    url, token = address(service)
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, **more)


def test_ten_thousand_of_four_kibibytes_in_one_request(service: RunningService) -> None:
    service.fresh = True
    service.start()
    with service.client() as client:
        client.submit_many([HELD] * 500)
        before = memory(service.process.pid, "VmRSS")
        wanted = [described(number) for number in range(10_000)]
        keys = [f"k{number}" for number in range(10_000)]
        results = client.submit_many(wanted, keys=keys)
        assert [one.activity.name for one in results] == [one.name for one in wanted]
        for number in (0, 4321, 9999):
            assert client.description(results[number].activity.id) == wanted[number]
        peak, after = (memory(service.process.pid, what) for what in ("VmHWM", "VmRSS"))
        assert peak - before < 250, (before, peak, after)
        # A repeat is answered with the first ones, in order, and makes nothing.
        again = client.submit_many(wanted, keys=keys)
        assert [one.activity.id for one in again] == [one.activity.id for one in results]
        assert memory(service.process.pid, "VmHWM") - before < 350


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_asynchronous_client_sends_it_in_pieces_too(started: RunningService) -> None:
    url, token = address(started)
    async with AsyncClient(Endpoint(url, token, None)) as client:
        results = await client.submit_many([described(number) for number in range(1500)])
    assert [one.activity.name for one in results] == [f"n{number}" for number in range(1500)]


@pytest.mark.parametrize("how", ["array", "lines"])
@pytest.mark.parametrize("end", ["broken", "shortened"])
def test_nothing_is_made_of_what_breaks_off(started: RunningService, how: str, end: str) -> None:
    url, token = address(started)
    parts = [json.dumps({"description": HELD | {"name": f"n{number}" * 20}}) for number in range(3000)]
    text = "\n".join(parts) if how == "lines" else f"[{','.join(parts)}]"
    kind = "application/x-ndjson" if how == "lines" else "application/json"
    body = text.encode()
    assert len(body) > 400_000  # more than is cut at once
    head = f"POST /v1/activities/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\n"
    # Shortened: the sender believes that all is well. In an array it shows, in lines only at the end of one.
    length = f"Content-Length: {len(body) - (30 if end == 'shortened' else 0)}\r\n\r\n"
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(head.encode() + length.encode() + body[:-30])
        if end == "shortened":
            answer = connection.recv(1 << 20)
            if how == "array":
                assert answer.startswith(b"HTTP/1.1 400"), answer[:200]
            else:
                while answer.count(b'"state"') + answer.count(b'"malformed"') < 3000:
                    piece = connection.recv(1 << 20)
                    assert piece, answer[-200:]
                    answer += piece
                assert answer.count(b'"problem"') == answer.count(b'"malformed"') == 1
        else:
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while connection.recv(1 << 16):
                    pass
    assert stored(started) == (2999 if (how, end) == ("lines", "shortened") else 0)


def stored(service: RunningService) -> int:
    with posting(service) as http:
        return sum(http.get("/v1/activities/counts").json().values())


def test_one_that_was_made_in_part_is_whole_once_it_is_sent_again(service: RunningService) -> None:
    """The service is killed when the first part of it is on disk."""
    elements = [{"description": HELD | {"name": f"n{number}"}, "submission_id": f"k{number}"} for number in range(1000)]
    (service.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    service.start(fault="create-after")
    with posting(service) as http, pytest.raises(httpx.TransportError):
        http.post("/v1/activities/batch", json=elements)
    assert service.died()
    service.start()
    before = stored(service)
    assert 0 < before < 1000
    with posting(service) as http:
        answers = http.post("/v1/activities/batch", json=elements).json()
    assert [one["activity"]["name"] for one in answers] == [f"n{number}" for number in range(1000)]
    assert stored(service) == len({one["activity"]["id"] for one in answers}) == 1000


def test_lines_are_answered_each_in_its_place(started: RunningService) -> None:
    lines = [
        json.dumps({"description": HELD | {"name": "a"}, "submission_id": "one"}),
        '{"description": {',
        "",
        json.dumps({"description": {"executable": "", "held": True}}),
        "[]",
        json.dumps({"description": HELD | {"name": "a"}, "submission_id": "one"}),
    ]
    with posting(started) as http:
        kind = {"Content-Type": "application/x-ndjson; charset=utf-8"}
        response = http.post("/v1/activities/batch", content="\n".join(lines) + "\n", headers=kind)
        assert response.status_code == 200
        first, broken, empty, other, again = response.json()
        assert first["activity"]["id"] == again["activity"]["id"]
        assert [one["problem"]["code"] for one in (broken, empty, other)] == [
            "malformed",
            "invalid-input",
            "invalid-input",
        ]
        assert [one["problem"].get("element") for one in (broken, empty, other)] == [
            "[1]",
            "[2].description.executable",
            "[3]",
        ]
        assert http.post("/v1/activities/batch", content="", headers=kind).json() == []


def test_the_limits_of_a_vector_are_published_and_kept_to(service: RunningService) -> None:
    (service.directory / "argosy.toml").write_text(
        '[resources.local]\ntype = "local"\n[limits]\nbody = 300000\nvector_body = 2000000\nvector = 1000\n'
    )
    service.start()
    with posting(service) as http:
        limits = http.get("/v1/").json()["limits"]
        assert (limits["body"], limits["vector_body"], limits["vector"]) == (300_000, 2_000_000, 1000)
        small = {"description": HELD}
        large = {"description": HELD | {"environment": {"A": "x" * 100_000}}}
        huge = {"description": HELD | {"tags": {"A": "x" * 300_000}}}

        def refused(elements: list[Any], *, chunked: bool = False) -> tuple[int, str | None]:
            body = json.dumps(elements).encode()
            pieces = iter([body[begin : begin + 65536] for begin in range(0, len(body), 65536)])
            response = http.post(
                "/v1/activities/batch",
                content=pieces if chunked else body,
                headers={"Content-Type": "application/json"},
            )
            return response.status_code, response.json().get("element") if response.is_error else None

        assert refused([large] * 15) == (200, None)
        assert refused([large] * 15, chunked=True) == (200, None)
        for chunked in (False, True):
            assert refused([large] * 25, chunked=chunked) == (413, None)
            assert refused([small, small, huge, small], chunked=chunked) == (413, "[2]")
        assert refused([small] * 1001) == (413, None)
    assert stored(service) == 30


def test_long_ones_wait_for_each_other_and_all_are_answered(started: RunningService) -> None:
    """Six at a time, of which four fit into memory as long as any may be."""
    elements = [{"description": HELD | {"environment": {"A": "x" * 100_000}}}] * 170
    body = json.dumps(elements).encode()
    assert len(body) > 16 * 1024 * 1024
    answers: list[int] = []

    def post() -> None:
        def pieces() -> Any:
            for begin in range(0, len(body), 1 << 20):
                yield body[begin : begin + (1 << 20)]

        with posting(started) as http:
            response = http.post("/v1/activities/batch", content=pieces(), headers={"Content-Type": "application/json"})
            answers.append(len(response.json()) if response.status_code == 200 else response.status_code)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [170] * 6


def test_others_are_answered_while_a_long_one_is_read(started: RunningService) -> None:
    with started.client() as client, started.client() as other:
        done = threading.Event()

        def submit() -> None:
            client.submit_many([described(number) for number in range(5000)])
            done.set()

        thread = threading.Thread(target=submit)
        thread.start()
        taken = []
        while not done.is_set():
            before = time.monotonic()
            other.service()
            taken.append(time.monotonic() - before)
        thread.join()
        assert len(taken) > 3
        assert max(taken) < 5


def test_too_many_are_told_before_all_of_them_have_come(started: RunningService) -> None:
    with started.client() as client, pytest.raises(TooLarge, match="10000"):
        client.submit_many([HELD] * 10_001)
