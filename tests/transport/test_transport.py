"""One suite for every transport."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argosy.model import Command, Unavailable
from argosy.transport import Transport
from argosy.transport.local import LocalTransport

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["local"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    made = LocalTransport()
    yield made
    await made.close()


async def test_a_commands_output_streams_and_exit_code(transport: Transport) -> None:
    done = await transport.run(Command(("sh", "-c", "cat; echo err >&2; exit 3"), stdin="ü\udcff"), timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (3, "ü\udcff", "err\n")
    assert done.words == "err"


async def test_arguments_are_no_shell_line(transport: Transport) -> None:
    done = await transport.run(Command(("printf", "%s|", "a b", "$(id)", "")), timeout=10)
    assert done.stdout == "a b|$(id)||"


async def test_variables_are_set_and_removed(transport: Transport) -> None:
    command = Command(("sh", "-c", 'echo "$A-${HOME-none}"'), environment={"A": "x", "HOME": None})
    assert (await transport.run(command, timeout=10)).stdout == "x-none\n"


async def test_a_command_that_is_not_there(transport: Transport) -> None:
    with pytest.raises(Unavailable, match="no-such-command cannot be run"):
        await transport.run(Command(("no-such-command",)), timeout=10)


async def test_a_command_that_hangs_is_killed_with_its_children(transport: Transport, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"no answer within 0\.5 s"):
        await transport.run(Command(("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait")), timeout=0.5)
    assert time.monotonic() - begun < 10
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


async def test_many_commands_at_once(transport: Transport) -> None:
    done = await asyncio.gather(
        *(transport.run(Command((sys.executable, "-c", f"print({n})")), timeout=30) for n in range(20))
    )
    assert [int(one.stdout) for one in done] == list(range(20))


async def test_files(transport: Transport, tmp_path: Path) -> None:
    directory = str(tmp_path / "a" / "b")
    await transport.make_directories([directory, directory])
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        assert path.stat().st_mode & 0o777 == 0o700
    path = f"{directory}/f"
    assert await transport.read(path) is None
    await transport.write(path, b"\0data", mode=0o640)
    await transport.write(path, b"\0more")
    assert await transport.read(path) == b"\0more"
    assert sorted(await transport.collect(directory)) == [("f", b"\0more")]
    assert await transport.collect(f"{directory}/nosuch") == []
    await transport.remove([path, path, str(tmp_path / "a")])
    assert not (tmp_path / "a").exists()


async def test_a_file_that_cannot_be_written(transport: Transport, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        await transport.write(f"{tmp_path}/nosuch/f", b"")
    (tmp_path / "d").mkdir()
    with pytest.raises(Unavailable):
        await transport.write(f"{tmp_path}/d", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


async def test_collecting_is_bounded(transport: Transport, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).touch()
    assert len(await transport.collect(str(tmp_path), limit=5)) == 5


async def test_new_files_are_noticed(transport: Transport, tmp_path: Path) -> None:
    changed = asyncio.Event()
    stop = await transport.watch(str(tmp_path), changed.set)
    assert stop is not None
    (tmp_path / "tmp").mkdir()
    await asyncio.wait_for(changed.wait(), 5)
    changed.clear()
    (tmp_path / "tmp" / "x").touch()
    (tmp_path / "tmp" / "x").rename(tmp_path / "x")
    await asyncio.wait_for(changed.wait(), 5)
    stop()


async def test_a_directory_that_cannot_be_watched(transport: Transport, tmp_path: Path) -> None:
    assert await transport.watch(str(tmp_path / "nosuch"), lambda: None) is None


async def test_a_closed_transport_says_so(transport: Transport) -> None:
    await transport.close()
    with pytest.raises(Unavailable, match="closed"):
        await transport.run(Command(("true",)), timeout=1)


async def test_home(transport: Transport) -> None:
    assert (await transport.home()).startswith("/")
