"""The way to another account: sudo with the rule that comes with Argosy, from an account without any rights."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers.accounts import PLACE, SERVICE, USERS, as_account

AGENT = str(PLACE / "bin" / "argosy-agent")
_ASK = """
import asyncio, sys
from argosy.accounts import Agent
from argosy.accounts.commands import AgentTransport
from argosy.model import Command

async def main():
    agent = Agent(sys.argv[1], ["sudo", "-n", "-H", "-u", sys.argv[1], "--", sys.argv[2]])
    transport = AgentTransport(agent)
    await transport.write("/home/%s/note" % sys.argv[1], b"written")
    done = await transport.run(Command(("sh", "-c", "id -un; umask; pwd; env | sort | cut -d= -f1")), timeout=20)
    print(done.stdout)
    await transport.close()
    await agent.close()

asyncio.run(main())
"""

pytestmark = pytest.mark.usefixtures("accounts")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        as_account(SERVICE, *words), stdin=subprocess.PIPE, capture_output=True, text=True, timeout=60
    )


def python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    (interpreter,) = (PLACE / "python" / "bin").glob("python3.[0-9]*[0-9]")
    paths = f"import sys; sys.path[:0] = ['{PLACE}/source', '{PLACE}/packages']\n"
    return run("env", f"LD_LIBRARY_PATH={PLACE}/python/lib", str(interpreter), "-I", "-c", paths + code, *words)


def test_the_agent_is_the_account_and_brings_nothing_along() -> None:
    done = python(_ASK, USERS[0], AGENT)
    assert done.returncode == 0, done.stderr
    who, umask, where, *names = done.stdout.split()
    assert (who, umask, where) == (USERS[0], "0077", f"/home/{USERS[0]}")
    assert not {"PYTHONPATH", "ARGOSY_HOME", "LD_PRELOAD"} & set(names)
    note = Path(f"/home/{USERS[0]}/note")
    assert (note.owner(), note.stat().st_mode & 0o777, note.read_text()) == (USERS[0], 0o600, "written")
    # Neither the service nor the other user can read it.
    for account in (SERVICE, USERS[1]):
        assert subprocess.run(as_account(account, "cat", str(note)), capture_output=True).returncode != 0


@pytest.mark.parametrize(
    "words",
    [
        ["-u", "root", AGENT],
        ["-u", SERVICE, AGENT],
        ["-u", "daemon", AGENT],
        ["-u", USERS[0], AGENT, "argument"],
        ["-u", USERS[0], "/usr/bin/id"],
        ["-u", USERS[0], "-s"],
        ["-g", "argosy-users", AGENT],
    ],
)
def test_the_rule_allows_nothing_else(words: list[str]) -> None:
    done = run("sudo", "-n", *words)
    assert done.returncode != 0
    assert "password is required" in done.stderr or "not allowed" in done.stderr, done.stderr
