"""An agent of this test's own account: everything but the way to another one."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argosy.accounts import Agent, wire
from argosy.accounts.commands import AgentTransport
from argosy.model import Command, NotAllowed, SubmitException, Unavailable

pytestmark = pytest.mark.anyio

ME = pwd.getpwuid(os.geteuid()).pw_name
COMMAND = [sys.executable, "-W", "error", "-m", "argosy.service.accounts.program"]


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    made = Agent(ME, COMMAND)
    yield made
    await made.close()


async def _pid(agent: Agent) -> int:
    done = await AgentTransport(agent).run(Command(("sh", "-c", "echo $PPID")), timeout=10)
    return int(done.stdout)


async def test_it_is_started_again_when_it_has_ended(agent: Agent) -> None:
    first = await _pid(agent)
    assert await _pid(agent) == first
    os.kill(first, signal.SIGKILL)
    while True:
        try:
            second = await _pid(agent)
        except Unavailable:
            continue  # its end has not been seen yet
        break
    assert second != first


async def test_what_was_under_way_when_it_ended_is_told(agent: Agent) -> None:
    pid = await _pid(agent)
    waiting = asyncio.create_task(AgentTransport(agent).run(Command(("sleep", "60")), timeout=60))
    while not agent.busy:
        await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Unavailable, match="has ended"):
        await waiting


async def test_what_is_cancelled_is_ended_there(agent: Agent, tmp_path: Path) -> None:
    transport = AgentTransport(agent)
    mark = f"mark-{os.getpid()}"
    waiting = asyncio.create_task(transport.watch(str(tmp_path), lambda: None))
    stop = await waiting
    assert stop is not None
    await transport.write(str(tmp_path / "x"), mark.encode())
    stop()
    assert await transport.read(str(tmp_path / "x")) == mark.encode()
    await transport.close()
    assert not agent.busy


async def test_somebody_else_s_agent_is_not_used() -> None:
    agent = Agent("somebody-else", COMMAND)
    with pytest.raises(Unavailable, match=f"runs as {ME}"):
        await agent.ask("home")
    await agent.close()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sh", "-c", "echo 'sudo: a password is required' >&2; exit 1"], "a password is required"),
        (["/no/such/program"], "No such file"),
        (["sh", "-c", "printf 'not a message at all'; cat >/dev/null"], "has ended"),
        ([*COMMAND, "argument"], "takes no arguments"),
    ],
)
async def test_an_agent_that_cannot_be_had_says_why(command: list[str], words: str) -> None:
    agent = Agent(ME, command)
    with pytest.raises(Unavailable, match=words):
        await agent.ask("home")
    await agent.close()


async def test_an_unknown_request_is_refused(agent: Agent) -> None:
    with pytest.raises(Unavailable, match=r"dance.*another version"):
        await agent.ask("dance")


async def test_nothing_is_asked_of_a_closed_one(agent: Agent) -> None:
    await agent.ask("home")
    await agent.close()
    with pytest.raises(Unavailable, match="closed"):
        await agent.ask("home")


async def test_many_at_once(agent: Agent, tmp_path: Path) -> None:
    transport = AgentTransport(agent)
    data = os.urandom(300_000)
    await asyncio.gather(*(transport.write(str(tmp_path / str(n)), data) for n in range(40)))
    found = await transport.collect(str(tmp_path))
    assert len(found) == 40
    assert all(content == data for _, content in found)


def test_errors_arrive_as_they_were() -> None:
    for error in (NotAllowed("no"), Unavailable("away", element="x"), SubmitException("busy", transient=True)):
        again = wire.error_of(wire.problem_of(error))
        assert (type(again), again.message, again.element) == (type(error), error.message, error.element)
    assert wire.error_of(wire.problem_of(SubmitException("busy", transient=True))).transient


async def test_a_message_that_is_too_long_or_cut_off() -> None:
    for data in (b"\xff\xff\xff\xff", b"\0\0\0\x05ab", b"\0\0\0\x01\xc1", b"\0\0\0\x03\x93\1\2"):
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        with pytest.raises(wire.Broken):
            await wire.read(reader)


#: An agent that its user has taken into hand: it says who it is, and then what the test wants, or nothing.
_BENT = """
import os, pwd, signal, sys
from argosy.accounts import wire
def read():
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    return wire._decoder.decode(sys.stdin.buffer.read(size))
def say(value):
    sys.stdout.buffer.write(wire.encode(value)); sys.stdout.buffer.flush()
hello = read()
say(wire.Done(hello.id, HELLO))
while True:
    DO
"""


def _bent(do: str, hello: str = "[pwd.getpwuid(os.geteuid()).pw_name, os.geteuid()]") -> Agent:
    return Agent(ME, [sys.executable, "-c", _BENT.replace("HELLO", hello).replace("DO", do)])


@pytest.mark.parametrize("hello", ["None", "[]", "[[], {}]", "'root'", "{'a': 1}"])
async def test_an_odd_greeting_is_no_greeting(hello: str) -> None:
    agent = _bent("read()", hello)
    with pytest.raises(Unavailable, match="cannot be used"):
        await agent.ask("home")
    await agent.close()


async def test_an_agent_that_is_stopped_is_given_up_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argosy.accounts.channel._TAKES", 0.5)
    agent = Agent(ME, COMMAND)
    pid = await _pid(agent)
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.create_task(agent.ask("home"))
    async with asyncio.timeout(60):
        # More than a pipe holds, so that it is seen that nothing is taken.
        with pytest.raises(Unavailable, match="takes nothing"):
            await agent.ask("write", path=b"/dev/null", data=bytes(4_000_000), mode=0o600)
        with pytest.raises(Unavailable):
            await waiting
        assert await _pid(agent) != pid
    await agent.close()


async def test_threads_that_wait_for_an_agent_are_few_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from argosy.service.accounts import sessions as module
    from argosy.service.accounts.seats import session_path

    monkeypatch.setattr(module, "_PATIENCE", 3.0)  # in which the other agent answers, too
    monkeypatch.setattr(module, "_TURN", 0.1)
    agent = _bent("read()")
    other = Agent(ME, COMMAND)

    class Seats:
        def agent(self, account: str) -> Agent:
            return agent if account == "bent" else other

    sessions = module.AccountSessions(str(tmp_path), lambda point: None, Seats())
    sessions.start()

    def make(account: str) -> str:
        try:
            sessions.make([session_path(str(tmp_path), account, "0" * 32)])
        except (Unavailable, NotAllowed) as error:
            return error.message
        return "made"

    async with asyncio.timeout(60):
        await other.ask("home")
        bent = [asyncio.create_task(asyncio.to_thread(make, "bent")) for _ in range(12)]
        await asyncio.sleep(0.05)
        assert "no session directory" in await asyncio.to_thread(make, "else")  # answered, by the other agent
        answers = await asyncio.gather(*bent)
    assert all("no answer" in one or "under way" in one for one in answers)
    assert any("under way" in one for one in answers)
    await agent.close()
    await other.close()


async def test_a_session_directory_that_cannot_be_made_is_no_agent_that_is_away(agent: Agent, tmp_path: Path) -> None:
    from argosy.service.accounts import sessions as module
    from argosy.service.accounts.seats import session_path

    class Seats:
        def agent(self, account: str) -> Agent:
            return agent

    sessions = module.AccountSessions(str(tmp_path), lambda point: None, Seats())
    sessions.start()
    bad = session_path(str(tmp_path), ME, "0" * 32)
    Path(bad).parent.parent.mkdir(parents=True)
    Path(bad).parent.write_text("a file")
    with pytest.raises(OSError, match="Not a directory") as caught:
        await asyncio.to_thread(sessions.make, [bad])
    assert caught.value.filename == bad
