"""One suite for every transport."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import binary, characters, text

from argosy.accounts import Agent
from argosy.accounts.commands import AgentTransport
from argosy.model import Command, Unavailable
from argosy.transport import Transport, open_transport
from tests.servers.gsissh import Gsissh
from tests.servers.sshd import Sshd
from tests.waiting import until_async as until

pytestmark = pytest.mark.anyio


@pytest.fixture(
    params=["local", "agent", *(pytest.param(name, marks=pytest.mark.ssh) for name in ("ssh", "gsissh"))],
)
async def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Transport]:
    if request.param == "agent":
        agent = Agent(pwd.getpwuid(os.geteuid()).pw_name, [sys.executable, "-m", "argosy.service.accounts.program"])
        over = AgentTransport(agent)
        yield over
        await over.close()
        await agent.close()
        return
    if request.param == "ssh":
        sshd: Sshd = request.getfixturevalue("sshd")
        made = open_transport(sshd.url, config=sshd.config)
    elif request.param == "gsissh":
        gsissh: Gsissh = request.getfixturevalue("gsissh")
        monkeypatch.setenv("PATH", gsissh.path)
        monkeypatch.setenv("X509_USER_PROXY", f"{gsissh.directory}/proxy")
        made = open_transport(gsissh.url, config=gsissh.config)
    else:
        made = open_transport()
    yield made
    await made.close()


def lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_a_commands_output_streams_and_exit_code(transport: Transport) -> None:
    command = "cat; printf 'quota d\\351pass\\351' >&2; exit 3"
    done = await transport.run(Command(("sh", "-c", command), stdin="ü\udcff"), timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "ü\ufffd", "quota d\ufffdpass\ufffd")
    assert done.words == done.stderr


async def test_what_goes_to_a_command_arrives_as_bytes(transport: Transport) -> None:
    done = await transport.run(Command(("od", "-An", "-tx1"), stdin="ü\udcff"), timeout=60)
    assert done.stdout.split() == ["c3", "bc", "ff"]


async def test_arguments_are_no_shell_line(transport: Transport) -> None:
    done = await transport.run(Command(("printf", "%s|", "a b", "$(id)", "")), timeout=60)
    assert done.stdout == "a b|$(id)||"


async def test_variables_are_set_and_removed(transport: Transport) -> None:
    command = Command(("sh", "-c", 'echo "$A-${HOME-none}"'), environment={"A": "x", "HOME": None})
    assert (await transport.run(command, timeout=60)).stdout == "x-none\n"


async def test_a_command_that_is_not_there(transport: Transport) -> None:
    with pytest.raises(Unavailable, match="no-such-command cannot be run"):
        await transport.run(Command(("no-such-command",)), timeout=60)


async def test_a_command_that_hangs_is_killed_with_its_children(transport: Transport, tmp_path: Path) -> None:
    await transport.run(Command(("true",)), timeout=60)  # it is there: the time that follows is the command's own
    with pytest.raises(Unavailable, match=r"no answer within 2 s"):
        await transport.run(Command(("sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait")), timeout=2)
    await until(lambda: not lives(int((tmp_path / "pid").read_text())))


async def test_many_commands_at_once(transport: Transport) -> None:
    done = await asyncio.gather(
        *(transport.run(Command((sys.executable, "-c", f"print({n})")), timeout=60) for n in range(20))
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
    await asyncio.wait_for(changed.wait(), 60)
    changed.clear()
    (tmp_path / "tmp" / "x").touch()
    (tmp_path / "tmp" / "x").rename(tmp_path / "x")
    await asyncio.wait_for(changed.wait(), 60)
    stop()


async def test_a_directory_that_cannot_be_watched(transport: Transport, tmp_path: Path) -> None:
    assert await transport.watch(str(tmp_path / "nosuch"), lambda: None) is None


async def test_a_closed_transport_says_so(transport: Transport) -> None:
    await transport.close()
    with pytest.raises(Unavailable, match="closed"):
        await transport.run(Command(("true",)), timeout=1)


async def test_what_goes_on_as_it_is_closed_ends_as_unavailable(transport: Transport, tmp_path: Path) -> None:
    """Its end is not the command's own, and says nothing about what it was to do."""
    os.mkfifo(tmp_path / "begun")
    command = Command(("sh", "-c", f"echo >{tmp_path}/begun; exec sleep 50"))
    running = asyncio.create_task(transport.run(command, timeout=600))
    await asyncio.to_thread((tmp_path / "begun").read_text)
    await transport.close()
    with pytest.raises(Unavailable):
        async with asyncio.timeout(60):
            await running


async def test_home(transport: Transport) -> None:
    assert (await transport.home()).startswith("/")


ODD = [
    b"plain",
    b"with space",
    b"-dash",
    b".hidden",
    b"..dots",
    b"new\nline",
    b"\xff\xfe",
    b"quote'\"$(id)",
    b"back\\slash",
    b"*",
]


async def test_odd_names_and_any_bytes(transport: Transport, tmp_path: Path) -> None:
    directory = tmp_path / "d'ir \n*"
    directory.mkdir()
    (directory / "sub").mkdir()
    (directory / "sub" / "not me").touch()
    contents = {os.fsdecode(name): bytes(range(256)) * number for number, name in enumerate(ODD)}
    for name, data in contents.items():
        await transport.write(f"{directory}/{name}", data)
    assert dict(await transport.collect(str(directory))) == contents
    for name, data in contents.items():
        assert await transport.read(f"{directory}/{name}") == data
    await transport.remove([f"{directory}/{name}" for name in contents])
    assert [path.name for path in directory.iterdir()] == ["sub"]


@given(data=binary(max_size=2000), name=binary(min_size=1, max_size=60).filter(lambda name: not {0, 47} & set(name)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_written_is_read(transport: Transport, tmp_path: Path, data: bytes, name: bytes) -> None:
    path = os.fsdecode(bytes(tmp_path) + b"/f" + name)
    await transport.write(path, data)
    assert await transport.read(path) == data
    assert await transport.collect(str(tmp_path)) == [(os.path.basename(path), data)]
    await transport.remove([path])


@given(text(alphabet=characters(exclude_characters="\0", exclude_categories=()), max_size=200))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_argument_and_any_input_arrive(transport: Transport, value: str) -> None:
    value = value.encode("utf-8", "replace").decode()
    command = Command(("sh", "-c", 'printf "%s|%s|" "$1" "$V"; cat', "sh", value), value, {"V": value})
    assert (await transport.run(command, timeout=60)).stdout == f"{value}|{value}|{value}"


async def test_a_large_file_and_a_large_input(transport: Transport, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    await transport.write(f"{tmp_path}/f", data)
    assert await transport.read(f"{tmp_path}/f") == data
    lines = "x" * 79 + "\n"
    assert (await transport.run(Command(("wc", "-c"), stdin=lines * 40_000), timeout=60)).stdout.split() == ["3200000"]


async def test_much_output_of_both_kinds(transport: Transport) -> None:
    script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); printf %0500d $i; printf %0500d $i >&2; done"
    done = await transport.run(Command(("sh", "-c", script)), timeout=60)
    assert len(done.stdout) == len(done.stderr) == 1_000_000


async def test_a_signals_end_is_no_success(transport: Transport) -> None:
    for script in ("kill -9 $$", "cat >/dev/null; kill -9 $$"):
        done = await transport.run(Command(("sh", "-c", script), "x"), timeout=60)
        assert done.returncode in (-9, 128 + 9)


async def test_many_files_are_removed_at_once(transport: Transport, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:0100}" for number in range(3000)]
    for path in paths:
        path.touch()
    assert len(await transport.collect(str(tmp_path))) == 3000
    await transport.remove([*map(str, paths), str(tmp_path / "nosuch" / "f")])
    assert not any(tmp_path.iterdir())


async def test_collecting_while_files_come_and_go(transport: Transport, tmp_path: Path) -> None:
    going = True

    async def churn() -> None:
        number = 0
        while going:
            number += 1
            (tmp_path / f"tmp{number}").write_bytes(b"whole")
            (tmp_path / f"tmp{number}").rename(tmp_path / f"f{number % 50}")
            (tmp_path / f"f{(number + 25) % 50}").unlink(missing_ok=True)
            await asyncio.sleep(0)

    churning = asyncio.create_task(churn())
    try:
        for _ in range(5):
            assert {data for name, data in await transport.collect(str(tmp_path)) if name[0] == "f"} <= {b"whole"}
    finally:
        going = False
        await churning


async def test_reading_what_cannot_be_read(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    assert await transport.read(f"{tmp_path}/f/g") is None
    with pytest.raises(Unavailable, match="cannot be read"):
        await transport.read(str(tmp_path))
    with pytest.raises(Unavailable, match="cannot be read"):
        await transport.collect(f"{tmp_path}/f")
    with pytest.raises(Unavailable, match="cannot be made"):
        await transport.make_directories([f"{tmp_path}/f/g"])


async def test_a_watch_ends(transport: Transport, tmp_path: Path) -> None:
    told: list[int] = []
    stop = await transport.watch(str(tmp_path), lambda: told.append(1))
    other = asyncio.Event()
    assert stop is not None
    stop()
    stop_other = await transport.watch(str(tmp_path), other.set)
    assert stop_other is not None
    (tmp_path / "x").touch()
    await asyncio.wait_for(other.wait(), 60)
    stop_other()
    assert not told


async def test_closing_ends_what_waits(transport: Transport, tmp_path: Path) -> None:
    waiting = asyncio.create_task(
        transport.run(Command(("sh", "-c", 'touch "$1"; exec sleep 60', "sh", f"{tmp_path}/begun")), timeout=50)
    )
    await until((tmp_path / "begun").exists)
    await transport.close()
    with contextlib.suppress(Unavailable):
        assert (await asyncio.wait_for(waiting, 40)).returncode == -9


KILLED = """
import asyncio, sys
from argosy.model import Command
from argosy.transport import open_transport

waits = '''
echo > began
until [ -e go ]; do read -r -t 0.02 nothing <> <(:); done
wc -c > count.tmp && mv count.tmp count
'''
asyncio.run(open_transport().run(Command(("bash", "-c", waits), stdin="x" * 1_000_000), timeout=60))
"""


async def test_a_command_has_all_of_its_input_though_its_caller_is_killed(tmp_path: Path) -> None:
    """A part of a script, taken for all of it, would be submitted as a job."""
    caller = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, cwd=tmp_path)
    await until((tmp_path / "began").exists)
    caller.kill()
    await caller.wait()
    (tmp_path / "go").touch()
    await until((tmp_path / "count").exists)
    assert int((tmp_path / "count").read_text()) == 1_000_000
