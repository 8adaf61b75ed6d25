"""Fetching from web servers that behave well and badly: whole or not at all, and told in words."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from argosy.model import InvalidInput
from argosy.outbound import OutboundPolicy
from argosy.staging import Credentials, Fault, Fetch, Staging, TransferFailed
from tests.staging.conftest import left
from tests.staging.web import FaultyWeb, digest_headers

pytestmark = pytest.mark.anyio
Make = Callable[..., Staging]

DATA = os.urandom(300_000)


async def fetch(staging: Staging, session: Path, *sources: str, **options: object) -> object:
    return await staging.fetch(Fetch(str(session), "in.dat", sources, **{"cacheable": False, **options}))


async def failure(staging: Staging, session: Path, *sources: str, **options: object) -> TransferFailed:
    with pytest.raises(TransferFailed) as caught:
        await fetch(staging, session, *sources, **options)
    assert left(session) == []
    return caught.value


async def test_a_file_is_fetched(make: Make, web: FaultyWeb, session: Path) -> None:
    told: list[tuple[int, int | None]] = []
    done = await make().fetch(
        Fetch(str(session), "a/b/in.dat", (web.put("/f", DATA),), executable=True), lambda *one: told.append(one)
    )
    assert (session / "a/b/in.dat").read_bytes() == DATA
    assert (session / "a/b/in.dat").stat().st_mode & 0o777 == 0o700
    assert (done.size, done.attempts, done.cached, done.tried) == (len(DATA), 1, False, ())
    assert done.source == f"{web.url}/f"
    assert told[-1] == (len(DATA), len(DATA))
    assert left(session) == ["a", "a/b", "a/b/in.dat"]


async def test_an_empty_file(make: Make, web: FaultyWeb, session: Path) -> None:
    await fetch(make(), session, web.put("/f", b""))
    assert (session / "in.dat").read_bytes() == b""


@pytest.mark.parametrize(
    "ways",
    [
        ["busy"], ["busy 0"], ["hang-up", "hang-up"], ["status 500", "status 502", "status 429"], ["cut 1000"],
        ["cut 1000", "cut 5000", "cut 70000"], ["cut_without_range 1000", "no-range"], ["cut 1000", "no-range"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("etag", ['"one"', 'W/"one"', None])
async def test_what_passes_is_tried_again(
    make: Make, web: FaultyWeb, session: Path, ways: list[str], etag: str | None
) -> None:
    done = await fetch(make(), session, web.put("/f", DATA, *ways, etag=etag))
    assert (session / "in.dat").read_bytes() == DATA
    assert done.attempts == len(ways) + (0 if ways[-1] == "no-range" else 1)
    assert left(session) == ["in.dat"]


async def test_it_goes_on_where_it_ended(make: Make, web: FaultyWeb, session: Path) -> None:
    await fetch(make(), session, web.put("/f", DATA, "cut 200000", etag='"one"'))
    assert (session / "in.dat").read_bytes() == DATA
    first, second = [headers for _, _, headers in web.asked]
    assert "Range" not in first
    assert second["If-Range"] == '"one"'
    assert 0 < int(second["Range"].removeprefix("bytes=").rstrip("-")) <= 200_000


async def test_a_file_that_changes_meanwhile_is_begun_anew(make: Make, web: FaultyWeb, session: Path) -> None:
    url = web.put("/f", DATA, "cut 200000", etag='"one"')
    staging = make(retry_first=0.2)
    running = asyncio.create_task(fetch(staging, session, url))
    while not web.asked:
        await asyncio.sleep(0.01)
    other = os.urandom(250_000)
    web.put("/f", other, etag='"two"')  # at once: an answer is about the one or the other
    await running
    assert (session / "in.dat").read_bytes() in (other, DATA)


async def test_attempts_are_bounded(make: Make, web: FaultyWeb, session: Path) -> None:
    caught = await failure(make(attempts=3), session, web.put("/f", DATA, *["busy"] * 9))
    assert len(web.asked) == 3
    assert caught.fault is Fault.TRANSIENT
    assert caught.message == f"{web.url}/f: the server answers 503 Service Unavailable: come back later (tried 3 times)"


async def test_retry_after_is_honoured_and_bounded(make: Make, web: FaultyWeb, session: Path) -> None:
    begun = time.monotonic()
    await fetch(make(retry_first=0.01, retry_most=0.5), session, web.put("/f", DATA, "busy 3600"))
    assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize(
    ("way", "fault", "words"),
    [
        ("status 404", Fault.MISSING, "404"),
        ("status 410", Fault.MISSING, "410"),
        ("status 403", Fault.REFUSED, "it is like that"),
        ("status 401", Fault.CREDENTIAL, "401"),
        ("status 400", Fault.REFUSED, "400"),
        ("circle", Fault.REFUSED, "circle"),
        ("spiral", Fault.REFUSED, "redirections"),
        ("to ftp://127.0.0.1/x", Fault.REFUSED, "no http"),
        ("to http://10.0.0.1/x", Fault.REFUSED, "does not connect"),
        ("to http://169.254.169.254/latest/meta-data", Fault.REFUSED, "does not connect"),
    ],
)
async def test_what_does_not_pass_is_not_tried_again(
    make: Make, web: FaultyWeb, session: Path, way: str, fault: Fault, words: str
) -> None:
    caught = await failure(make(), session, web.put("/f", DATA, way))
    assert caught.fault is fault
    assert words in caught.message
    assert "tried" not in caught.message


async def test_a_redirection_is_followed(make: Make, web: FaultyWeb, session: Path) -> None:
    web.put("/there", DATA)
    await fetch(make(), session, web.put("/f", b"", "to /there"))
    assert (session / "in.dat").read_bytes() == DATA


async def test_what_lets_in_goes_to_nobody_else(make: Make, web: FaultyWeb, session: Path) -> None:
    other = web.url.replace("127.0.0.1", "127.0.0.2")
    url = web.put("/f", DATA, f"to {other}/g", token="secret-token")
    caught = await failure(make(attempts=1), session, url, credentials=Credentials(token="secret-token"))
    assert "secret-token" not in caught.message
    assert [headers.get("Authorization") for _, path, headers in web.asked if path != "/f"] in ([], [None])


async def test_a_token_lets_in(make: Make, web: FaultyWeb, session: Path) -> None:
    url = web.put("/f", DATA, token="secret-token")
    assert (await failure(make(), session, url)).credential
    assert (await failure(make(), session, url, credentials=Credentials(token="other"))).credential
    with_hosts = Credentials(token="secret-token", hosts=frozenset({"elsewhere.example.org"}))
    assert (await failure(make(), session, url, credentials=with_hosts)).credential
    await fetch(make(), session, url, credentials=Credentials(token="secret-token"))
    assert (session / "in.dat").read_bytes() == DATA


@pytest.mark.parametrize("how", list(digest_headers(b"")))
async def test_what_the_source_states_is_compared(make: Make, web: FaultyWeb, session: Path, how: str) -> None:
    headers = digest_headers(DATA)[how]
    done = await fetch(make(), session, web.put("/f", DATA, "spoil", headers=headers))
    assert done.attempts == 2
    assert (session / "in.dat").read_bytes() == DATA
    (session / "in.dat").unlink()
    caught = await failure(make(), session, web.put("/f", DATA, *["spoil"] * 9, headers=headers))
    assert caught.fault is Fault.CORRUPT
    assert "its source states" in caught.message


@pytest.mark.parametrize("algorithm", ["sha512", "sha256", "sha1", "md5"])
async def test_what_is_declared_is_compared(make: Make, web: FaultyWeb, session: Path, algorithm: str) -> None:
    right = hashlib.new(algorithm, DATA).hexdigest()
    done = await fetch(
        make(), session, web.put("/f", DATA, "spoil"), checksums={algorithm: right.upper()}, size=len(DATA)
    )
    assert done.attempts == 2
    assert done.checksums[algorithm] == right
    (session / "in.dat").unlink()
    caught = await failure(make(), session, web.put("/f", DATA), checksums={algorithm: "0" * len(right)})
    assert caught.fault is Fault.CORRUPT
    assert right in caught.message


async def test_a_wrong_size_is_found(make: Make, web: FaultyWeb, session: Path) -> None:
    for size in (len(DATA) - 1, len(DATA) + 1, 0):
        assert (await failure(make(), session, web.put("/f", DATA), size=size)).fault is Fault.CORRUPT
        assert (
            await failure(make(), session, web.put("/f", DATA, *["unknown_length"] * 9), size=size)
        ).fault is Fault.CORRUPT
    await fetch(make(), session, web.put("/f", DATA, "longer"), size=len(DATA))
    assert (session / "in.dat").read_bytes() == DATA


@pytest.mark.parametrize("checksums", [{"sha3": "00"}, {"md5": "xyz"}, {"sha256": "00"}, {"adler32": "123456789"}])
async def test_checksums_that_are_none_are_refused(
    make: Make, web: FaultyWeb, session: Path, checksums: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await fetch(make(), session, web.put("/f", DATA), checksums=checksums)
    assert caught.value.element == "checksums"


async def test_what_stands_still_is_given_up(make: Make, web: FaultyWeb, session: Path) -> None:
    caught = await failure(make(idle_timeout=0.3, attempts=2), session, web.put("/f", DATA, *["hang 1000"] * 9))
    assert caught.fault is Fault.TRANSIENT
    assert "nothing came or went for 0.3 s" in caught.message or "in time" in caught.message


async def test_what_is_too_slow_is_given_up(make: Make, web: FaultyWeb, session: Path) -> None:
    staging = make(minimum_speed=1000, minimum_speed_time=0.5, attempts=1)
    caught = await failure(staging, session, web.put("/f", DATA, "slow"))
    assert caught.fault is Fault.TRANSIENT
    assert "bytes a second is less than the 1000" in caught.message


async def test_several_sources(make: Make, web: FaultyWeb, session: Path) -> None:
    sources = (f"{web.url}/missing", web.put("/bad", DATA, "status 403"), web.put("/good", DATA), f"{web.url}/unasked")
    done = await fetch(make(), session, *sources)
    assert done.source == sources[2]
    assert [url for url, _ in done.tried] == list(sources[:2])
    assert "404" in done.tried[0][1]
    assert "403" in done.tried[1][1]
    assert all(path != "/unasked" for _, path, _ in web.asked)
    (session / "in.dat").unlink()
    caught = await failure(make(), session, sources[0], f"{web.url}/neither")
    assert "none of the 2 sources of 'in.dat' works" in caught.message
    assert caught.fault is Fault.MISSING


async def test_creation_flags(make: Make, web: FaultyWeb, session: Path) -> None:
    url, staging = web.put("/f", b"new"), make()
    for creation in ("refuse", "append", "overwrite"):
        await fetch(staging, session, url, creation=creation)
        assert (session / "in.dat").read_bytes() == b"new"
        (session / "in.dat").unlink()
    (session / "in.dat").write_bytes(b"old")
    with pytest.raises(TransferFailed) as caught:
        await fetch(staging, session, url, creation="refuse")
    assert caught.value.fault is Fault.EXISTS
    assert (session / "in.dat").read_bytes() == b"old"
    await fetch(staging, session, url, creation="append")
    assert (session / "in.dat").read_bytes() == b"oldnew"
    await fetch(staging, session, url)
    assert (session / "in.dat").read_bytes() == b"new"
    assert left(session) == ["in.dat"]


@pytest.mark.parametrize(("creation", "expected"), [("append", b"oldnew"), ("refuse", b"new")])
async def test_the_same_request_again_is_done_once(
    make: Make, web: FaultyWeb, session: Path, creation: str, expected: bytes
) -> None:
    url, staging = web.put("/f", b"new"), make()
    if creation == "append":
        (session / "in.dat").write_bytes(b"old")
    for _ in range(3):
        await fetch(staging, session, url, creation=creation, token="activity 1")
        assert (session / "in.dat").read_bytes() == expected


async def test_a_request_that_was_killed_before_the_last_step(make: Make, web: FaultyWeb, session: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(point: str) -> None:
        raise Killed

    (session / "in.dat").write_bytes(b"old")
    url = web.put("/f", b"new")
    with pytest.raises(Killed):
        await fetch(make(fault=kill), session, url, creation="append", token="activity 1")
    assert (session / "in.dat").read_bytes() == b"old"
    await fetch(make(), session, url, creation="append", token="activity 1")
    assert (session / "in.dat").read_bytes() == b"oldnew"


async def test_a_directory_in_the_way(make: Make, web: FaultyWeb, session: Path) -> None:
    (session / "in.dat").mkdir()
    with pytest.raises(TransferFailed, match="is a directory already"):
        await fetch(make(), session, web.put("/f", DATA))


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "."])
async def test_paths_that_lead_out(make: Make, web: FaultyWeb, session: Path, path: str) -> None:
    with pytest.raises(InvalidInput):
        await make().fetch(Fetch(str(session), path, (web.put("/f", DATA),)))


async def test_links_that_lead_out(make: Make, web: FaultyWeb, session: Path, tmp_path: Path) -> None:
    (session / "link").symlink_to(tmp_path)
    with pytest.raises((InvalidInput, TransferFailed), match="leads out"):
        await make().fetch(Fetch(str(session), "link/x", (web.put("/f", DATA),)))
    assert not (tmp_path / "x").exists()


async def test_a_quota(make: Make, web: FaultyWeb, session: Path) -> None:
    for ways in ([], ["unknown_length"] * 9):
        caught = await failure(make(), session, web.put("/f", DATA, *ways), most=1000)
        assert "larger than the 1000 bytes" in caught.message
        assert caught.fault is Fault.REFUSED
    assert (await failure(make(max_file=10), session, web.put("/f", DATA))).fault is Fault.REFUSED


async def test_limits_per_host(make: Make, web: FaultyWeb, session: Path) -> None:
    staging = make(transfers_per_host=2)
    await asyncio.gather(
        *(
            staging.fetch(Fetch(str(session), f"f{n}", (web.put(f"/{n}", DATA, "wait"),), cacheable=False))
            for n in range(12)
        )
    )
    assert web.most_at_once <= 2
    assert len(left(session)) == 12


async def test_bandwidth(make: Make, web: FaultyWeb, session: Path) -> None:
    begun = time.monotonic()
    await fetch(make(bandwidth=1_000_000.0), session, web.put("/f", os.urandom(1_500_000)))
    assert time.monotonic() - begun > 0.4


async def test_cancelled_it_leaves_nothing(make: Make, web: FaultyWeb, session: Path) -> None:
    running = asyncio.create_task(fetch(make(), session, web.put("/f", os.urandom(3_000_000), "hang 2500000")))
    while not left(session):
        await asyncio.sleep(0.01)
    running.cancel()
    async with asyncio.timeout(30):  # the server says nothing for a minute
        with pytest.raises(asyncio.CancelledError):
            await running
    assert left(session) == []


async def test_the_policy_is_asked(make: Make, web: FaultyWeb, session: Path) -> None:
    staging = make(policy=OutboundPolicy())
    caught = await failure(staging, session, web.put("/f", DATA))
    assert "outbound.allow" in caught.message
    assert web.asked == []


async def test_nobody_listens(make: Make, session: Path) -> None:
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        caught = await failure(make(attempts=2), session, f"http://127.0.0.1:{closed.getsockname()[1]}/f")
    assert caught.fault is Fault.TRANSIENT
    assert "tried 2 times" in caught.message


async def test_large_files_take_little_memory(make: Make, web: FaultyWeb, session: Path) -> None:
    import tracemalloc

    data = os.urandom(1_000_000) * 60
    url = web.put("/f", data)
    staging = make()
    tracemalloc.start()
    await fetch(staging, session, url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert (session / "in.dat").stat().st_size == len(data)
