"""Commands with a limit: what they answer, and that nothing of one that was ended is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from argosy.model import Completed
from argosy.service.contract import CommandOutcome
from argosy.service.matching.commands import limited_command, read_outcome
from tests.waiting import until


def run(command: str, directory: str | None = None, limit: float = 20.0) -> CommandOutcome:
    asked = limited_command(command, directory, limit)
    done = subprocess.run(asked.argv, input=asked.stdin, capture_output=True, text=True, timeout=60)
    return read_outcome(Completed(asked.argv, done.returncode, done.stdout, done.stderr))


@pytest.mark.parametrize(
    ("command", "code", "stdout", "stderr"),
    [
        ("echo hi; echo err >&2; exit 3", 3, "hi\n", "err\n"),
        ("cat", 0, "", ""),
        ("exit 124", 124, "", ""),
        ("exit 137", 137, "", ""),
        ("kill -TERM $$", 143, "", ""),
        ("kill -KILL $$", 137, "", ""),
        ('trap - TERM; (trap) ; printf %s "it\'s"', 0, "it's", ""),
    ],
)
def test_what_a_command_answers(command: str, code: int, stdout: str, stderr: str) -> None:
    outcome = run(command)
    assert outcome == CommandOutcome(code, stdout, stderr)


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    assert run("pwd", str(tmp_path)).stdout == f"{tmp_path}\n"
    assert run("pwd", "~").stdout == f"{os.environ['HOME']}\n"
    assert run("pwd", f"{tmp_path}/none").exit_code == 1


@pytest.mark.parametrize(
    "command",
    [
        "echo here; sleep {n}",
        "echo here; trap '' TERM; sleep {n}",
        "echo here; (trap '' TERM; exec sleep {n}) & sleep {n}",
        "echo here; trap '' TERM; while :; do sleep {n}; done",
    ],
    ids=["plain", "deaf", "beside", "again"],
)
def test_nothing_is_left_of_one_that_took_too_long(command: str, tmp_path: Path) -> None:
    mark = f"77777.{os.getpid()}{time.monotonic_ns() % 1_000_000}"
    asked = limited_command(command.format(n=mark), None, 1000.0)
    script = tmp_path / "command"
    script.write_text(asked.stdin)
    with (
        script.open() as stdin,
        subprocess.Popen(asked.argv, stdin=stdin, stdout=PIPE, stderr=PIPE, text=True) as shell,
    ):
        # Its time is over once it has come so far, however slow the machine: SIGALRM is the limit's own.
        until(lambda: _running(rf"sleep {re.escape(mark)}$"))
        (timer,) = _running(rf"timeout .*sleep {re.escape(mark)}")
        os.kill(timer, signal.SIGALRM)
        stdout, stderr = shell.communicate(timeout=60)
    outcome = read_outcome(Completed(asked.argv, shell.returncode, stdout, stderr))
    assert outcome == CommandOutcome(None, "here\n", "")
    until(lambda: not _running(f".*{re.escape(mark)}"))


def test_the_limit_is_counted_in_seconds() -> None:
    assert run("sleep 1000", limit=0.1).exit_code is None


def _running(pattern: str) -> list[int]:
    """The processes whose command lines match."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if re.match(
                pattern, path.read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"), re.DOTALL
            ):
                found.append(int(path.parent.name))
    return found
