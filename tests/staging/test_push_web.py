"""Pushing to web servers that behave badly, and to several targets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from argosy.model import InvalidInput, NotAllowed
from argosy.outbound import OutboundPolicy
from argosy.staging import Push, Pushed, Staging
from tests.staging.web import FaultyWeb

pytestmark = pytest.mark.anyio
Make = Callable[..., Staging]

DATA = os.urandom(300_000)


async def push(staging: Staging, session: Path, *targets: str, path: str = "out", **options: object) -> list[Pushed]:
    return await staging.push(Push(str(session), path, targets, **options))


async def test_all_targets_are_reported(make: Make, web: FaultyWeb, session: Path) -> None:
    (session / "out").write_bytes(DATA)
    web.put("/no", b"", *["refuse"] * 9)
    good, bad, unknown = await push(make(), session, f"{web.url}/yes", f"{web.url}/no", "gopher://127.0.0.1/x")
    assert (good.error, good.verified, good.size) == (None, True, len(DATA))
    assert bad.fault in ("refused", "transient")
    assert bad.error is not None
    assert unknown.error is not None
    assert "gopher" in unknown.error
    assert web.pages["/yes"].data == DATA
    assert (session / "out").read_bytes() == DATA


@pytest.mark.parametrize("ways", [["busy"], ["lose a byte"], ["busy", "busy", "lose a byte"]], ids=" ".join)
async def test_what_passes_is_tried_again(make: Make, web: FaultyWeb, session: Path, ways: list[str]) -> None:
    (session / "out").write_bytes(DATA)
    web.put("/f", b"", *ways)
    (done,) = await push(make(), session, f"{web.url}/f")
    assert done.error is None
    assert web.pages["/f"].data == DATA
    assert done.attempts == len(ways) + 1


async def test_a_full_target_is_told(make: Make, web: FaultyWeb, session: Path) -> None:
    (session / "out").write_bytes(DATA)
    web.put("/f", b"", *["full"] * 9)
    (done,) = await push(make(), session, f"{web.url}/f")
    assert done.fault == "full"
    assert "the disk is full" in (done.error or "")


@pytest.mark.parametrize("size", [100, 300_000])
async def test_no_file_stays_open(make: Make, web: FaultyWeb, session: Path, size: int) -> None:
    (session / "out").write_bytes(os.urandom(size))
    web.put("/no", b"", *["refuse"] * 9)
    staging = make(attempts=1)

    def opened() -> int:
        return [_target(fd) for fd in os.listdir("/proc/self/fd")].count(str(session / "out"))

    for targets in (
        (f"{web.url}/yes",),
        (f"{web.url}/no",),
        ("gopher://127.0.0.1/x",),
        (f"{web.url}/a", f"{web.url}/b"),
    ):
        await push(staging, session, *targets)
        assert opened() == 0, targets
    for _ in range(20):
        task = asyncio.create_task(push(staging, session, f"{web.url}/yes"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert opened() == 0


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:
        return ""  # another thread's


async def test_optional_and_missing_outputs(make: Make, web: FaultyWeb, session: Path) -> None:
    for path in ("missing", "none*", "no/dir/"):
        (done,) = await push(make(), session, f"{web.url}/f", path=path, optional=True)
        assert (done.error, done.files) == (None, 0)
        (done,) = await push(make(), session, f"{web.url}/f", path=path)
        assert done.fault == "missing"
    with pytest.raises(InvalidInput):
        await push(make(), session)


@pytest.mark.parametrize("path", ["link", "out/link/secret", "links/*"])
async def test_nothing_outside_is_sent(make: Make, web: FaultyWeb, session: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("not yours")
    (session / "link").symlink_to(tmp_path / "secret")
    (session / "out").mkdir()
    (session / "out/link").symlink_to(tmp_path)
    (session / "links").mkdir()
    (session / "links/a").symlink_to(tmp_path / "secret")
    (done,) = await push(make(), session, f"{web.url}/f/", path=path)
    assert done.error is not None
    assert not [one for one in web.asked if one[0] == "PUT"]


async def test_what_can_never_be_is_refused_at_creation(make: Make, tmp_path: Path) -> None:
    staging = make()
    with pytest.raises(InvalidInput, match="does not know") as caught:
        staging.check("gopher://example.org/x", "fetch", element="inputs[0].sources[0]")
    assert caught.value.element == "inputs[0].sources[0]"
    for url, direction in (("data:,x", "push"), ("https://example.org/dir/", "fetch"), ("file:///x", "fetch")):
        with pytest.raises(InvalidInput):
            staging.check(url, direction)
    with pytest.raises(NotAllowed):
        make(policy=OutboundPolicy()).check("davs://127.0.0.1/x", "fetch")
    (tmp_path / "open").mkdir()
    opened = make(file_roots=[str(tmp_path / "open")])
    opened.check(f"file://{tmp_path}/open/x", "push")
    for url in (f"file://{tmp_path}/open/../x", f"file://{tmp_path}/opened", "file:///etc/passwd"):
        with pytest.raises(NotAllowed):
            opened.check(url, "fetch")
    with pytest.raises(InvalidInput, match="another machine"):
        opened.check(f"file://example.org{tmp_path}/open/x", "fetch")


async def test_missing_tools_are_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    staging = make()
    with pytest.raises(InvalidInput, match="globus-url-copy is not installed"):
        staging.check("gsiftp://example.org/x", "fetch")
    with pytest.raises(InvalidInput, match="xrdcp is not installed"):
        staging.check("root://example.org//x", "push")
    lacking = {one.scheme for one in staging.capabilities() if one.missing}
    assert {"gsiftp", "root", "xroot", "file"} <= lacking
