"""Commands with a limit: what they answer, and that nothing of one that was ended is left."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from argosy.model import Completed
from argosy.service.contract import CommandOutcome
from argosy.service.matching.commands import limited_command, read_outcome


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
def test_nothing_is_left_of_one_that_took_too_long(command: str) -> None:
    mark = f"77777.{os.getpid()}{time.monotonic_ns() % 1_000_000}"
    outcome = run(command.format(n=mark), limit=0.5)
    assert outcome == CommandOutcome(None, "here\n", "")
    deadline = time.monotonic() + 5
    while left := _running(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def _running(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"sleep {mark}" in line and not line.startswith("Z")]
