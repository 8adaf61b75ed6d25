"""Small files that arrive at the same time: had on the disk together, each whole or not at all, each told its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from argosy.staging import Fault, Fetch, Staging, TransferFailed
from argosy.staging.placing import place
from tests.staging.conftest import left
from tests.staging.web import FaultyWeb

pytestmark = pytest.mark.anyio
Make = Callable[..., Staging]


async def test_each_is_on_the_disk_before_its_name_and_the_directory_before_the_answer(
    make: Make, web: FaultyWeb, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, object]] = []
    turns: list[int] = []
    sync, rename = os.fsync, os.rename

    def see_sync(fd: int) -> None:
        sync(fd)
        done.append(("sync", os.fstat(fd).st_ino))

    def see_rename(old: str, new: str, **where: int) -> None:
        done.append(("name", os.stat(old, dir_fd=where["src_dir_fd"]).st_ino))
        rename(old, new, **where)

    def see_turn(arrivals: list[object], fault: Callable[[str], None]) -> object:
        turns.append(len(arrivals))
        return place(arrivals, fault)  # type: ignore[arg-type]

    monkeypatch.setattr("argosy.staging.placing.os.rename", see_rename)
    monkeypatch.setattr("argosy.staging.landing.place", see_turn)
    monkeypatch.setattr(os, "fsync", see_sync)
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


async def test_one_that_is_wrong_concerns_no_other(make: Make, web: FaultyWeb, session: Path) -> None:
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
    waiting = staging._desk.landing._waiting
    async with asyncio.timeout(20):
        while not any(waiting.values()):
            await asyncio.sleep(0.01)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    free.set()
    await first
    assert left(session) == ["first"]
