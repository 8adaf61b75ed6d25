"""Small files that arrive at the same time: had on the disk together, each whole or not at all, each told its own."""

from __future__ import annotations

import array
import asyncio
import os
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from argosy.staging import Fault, Fetch, Staging, TransferFailed, scribe_process
from argosy.staging.placing import place
from argosy.staging.scribe import Scribe, Sheet
from tests.staging.conftest import left
from tests.staging.web import FaultyWeb

pytestmark = pytest.mark.anyio
Make = Callable[..., Staging]


class HereScribe(Scribe):
    """One whose process is a thread: what it does can be watched."""

    def _start(self) -> None:
        self._socket, its = socket.socketpair()
        threading.Thread(target=self._serve, args=(its,), daemon=True).start()
        select.select([self._socket], [], [], 20)

    @staticmethod
    def _serve(its: socket.socket) -> None:
        with its:
            scribe_process.serve(its)


class NoScribe(Scribe):
    """One that never does it."""

    def write(self, sheets: Sequence[Sheet]) -> None:
        return None


@pytest.mark.parametrize("scribe", [HereScribe, NoScribe])
async def test_each_is_on_the_disk_before_its_name_and_the_directory_before_the_answer(
    make: Make, web: FaultyWeb, session: Path, monkeypatch: pytest.MonkeyPatch, scribe: type[Scribe]
) -> None:
    done: list[tuple[str, object]] = []
    turns: list[int] = []
    by_scribe: list[int | None] = []
    asked = scribe.write
    sync, rename = os.fsync, os.rename

    def see_sync(fd: int) -> None:
        sync(fd)
        done.append(("sync", os.fstat(fd).st_ino))

    def see_rename(old: str, new: str, **where: int) -> None:
        done.append(("name", os.stat(old, dir_fd=where["src_dir_fd"]).st_ino))
        rename(old, new, **where)

    def see_turn(arrivals: list[object], fault: Callable[[str], None], scribe: Scribe) -> object:
        turns.append(len(arrivals))
        return place(arrivals, fault, scribe)

    def see_written(self: Scribe, sheets: Sequence[Sheet]) -> object:
        answers = asked(self, sheets)
        by_scribe.append(None if answers is None else len(answers))
        return answers

    monkeypatch.setattr("argosy.staging.placing.os.rename", see_rename)
    monkeypatch.setattr("argosy.staging.landing.place", see_turn)
    monkeypatch.setattr(os, "fsync", see_sync)
    monkeypatch.setattr(scribe, "write", see_written)
    monkeypatch.setattr("argosy.staging.landing.Scribe", scribe)
    staging = make(transfers_per_host=16, cache_size=0)

    async def one(number: int) -> None:
        url = web.put(f"/{number}", b"%d" % number)
        await staging.fetch(Fetch(str(session), f"{number}", (url,)))
        file, directory = (session / f"{number}").stat().st_ino, session.stat().st_ino
        synced, named = done.index(("sync", file)), done.index(("name", file))
        assert synced < named
        assert ("sync", directory) in done[named:]

    await asyncio.gather(*(one(number) for number in range(64)))
    assert {path.name: path.read_bytes() for path in session.iterdir()} == {str(n): b"%d" % n for n in range(64)}
    assert sum(turns) == 64
    assert done.count(("sync", session.stat().st_ino)) == len(turns) < 64
    assert any(by_scribe) == (scribe is HereScribe)


@pytest.mark.parametrize("scribe", [HereScribe, NoScribe])
async def test_one_that_is_wrong_concerns_no_other(
    make: Make, web: FaultyWeb, session: Path, monkeypatch: pytest.MonkeyPatch, scribe: type[Scribe]
) -> None:
    monkeypatch.setattr("argosy.staging.landing.Scribe", scribe)
    staging = make(attempts=1, cache_size=0)
    (session / "7").mkdir()

    async def one(number: int) -> str:
        sums = {"md5": "0" * 32} if number == 3 else {}
        try:
            await staging.fetch(Fetch(str(session), f"{number}", (web.put(f"/{number}", b"x"),), checksums=sums))
        except TransferFailed as failure:
            return str(failure.fault)
        return ""

    faults = await asyncio.gather(*(one(number) for number in range(20)))
    assert {number: fault for number, fault in enumerate(faults) if fault} == {3: Fault.CORRUPT, 7: Fault.EXISTS}
    assert left(session) == sorted(str(number) for number in range(20) if number != 3)


async def test_a_cancelled_one_that_waits_for_its_turn_leaves_nothing(
    make: Make, web: FaultyWeb, session: Path
) -> None:
    within, free = threading.Event(), threading.Event()

    def hold(point: str) -> None:
        within.set()
        assert free.wait(20)

    staging = make(cache_size=0, fault=hold)
    first = asyncio.create_task(staging.fetch(Fetch(str(session), "first", (web.put("/first", b"1"),))))
    await asyncio.to_thread(within.wait, 20)
    second = asyncio.create_task(staging.fetch(Fetch(str(session), "second", (web.put("/second", b"2"),))))
    turns = staging._desk.landing._turns
    async with asyncio.timeout(20):
        while not turns.waiting:
            await asyncio.sleep(0.01)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    free.set()
    await first
    assert left(session) == ["first"]


async def _ready(scribe: Scribe, session: Path) -> None:
    """Have its process started, and wait until it listens."""
    async with asyncio.timeout(20):
        while scribe.write([]) is None:
            await asyncio.sleep(0.02)


@pytest.fixture
async def scribe(session: Path) -> AsyncIterator[Scribe]:
    made = Scribe()
    await _ready(made, session)
    yield made
    await asyncio.to_thread(made.close)


def _sheet(parent: int, name: str, data: bytes) -> Sheet:
    return Sheet(parent, f".partial-{name}", name, 0o600, data)


async def test_another_process_writes_them(scribe: Scribe, session: Path) -> None:
    (session / "sub").mkdir()
    (session / "2").write_bytes(b"what was there before")
    (session / "taken").mkdir()
    parents = [os.open(session, os.O_RDONLY), os.open(session / "sub", os.O_RDONLY)]
    try:
        sheets = [_sheet(parents[number % 2], f"{number}", os.urandom(number * 1000)) for number in range(64)]
        troubles = scribe.write([*sheets, _sheet(parents[0], "taken", b""), _sheet(parents[0], "n" * 250, b"")])
    finally:
        for fd in parents:
            os.close(fd)
    assert troubles is not None
    assert troubles[:64] == [None] * 64
    assert isinstance(troubles[64] and troubles[64].error, IsADirectoryError)
    assert troubles[65] is not None
    for number, sheet in enumerate(sheets):
        assert (session / ("sub" if number % 2 else "") / f"{number}").read_bytes() == sheet.data
    assert [name for name in os.listdir(session) if name.startswith(".")] == []


async def test_a_process_that_was_killed_is_done_without(make: Make, web: FaultyWeb, session: Path) -> None:
    staging = make(transfers_per_host=16, cache_size=0)
    scribe = staging._desk.landing._scribe
    await _ready(scribe, session)
    assert scribe._process is not None
    scribe._process.kill()
    urls = [web.put(f"/{number}", b"%d" % number) for number in range(20)]
    await asyncio.gather(*(staging.fetch(Fetch(str(session), f"{n}", (url,))) for n, url in enumerate(urls)))
    assert {path.name: path.read_bytes() for path in session.iterdir()} == {str(n): b"%d" % n for n in range(20)}


async def test_the_process_ends_with_staging(make: Make, session: Path) -> None:
    staging = make(cache_size=0)
    scribe = staging._desk.landing._scribe
    await _ready(scribe, session)
    process = scribe._process
    assert process is not None
    await staging.close()
    assert process.returncode == 0


def test_no_file_gets_its_name_once_the_service_is_gone(session: Path) -> None:
    (session / "old").write_bytes(b"old")
    service, process = socket.socketpair()
    service.close()
    parent = os.open(session, os.O_RDONLY)
    try:
        files = [[0, ".partial-old", "old", 0o600, 3], [0, ".partial-new", "new", 0o600, 3]]
        with process, ThreadPoolExecutor(4) as threads, pytest.raises(ConnectionResetError):
            scribe_process.write(process, threads, files, memoryview(b"abcdef"), array.array("i", [parent]))
    finally:
        os.close(parent)
    assert {path.name: path.read_bytes() for path in session.iterdir()} == {"old": b"old"}
