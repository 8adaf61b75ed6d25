"""The command with jobs that really run: on this machine, through a service of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.service.running import RunningService


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("service") / "home")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\n')
    running.start()
    yield running
    running.end()


@pytest.fixture
def home(service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_HOME", str(service.directory))
    monkeypatch.chdir(tmp_path)
    return service.directory


LOOP = 'for f in a b; do echo "[${f}] $1"; done; echo $OUT'


def test_a_command_reaches_the_job_as_it_stands(argosy: Command) -> None:
    done = argosy("run", "--env", "IN=x", "--env", "OUT=${IN}+$${IN}", "--", "sh", "-c", LOOP, "-", "$${f}")
    assert (done.code, done.out) == (0, "[a] $${f}\n[b] $${f}\nx+${IN}\n"), done.err
    assert f"\ncommand\n  sh -c '{LOOP}' - '$${{f}}'\n" in argosy("status", "-vv", "@last").out


def test_what_is_replaced_in_a_description_is_shown_as_a_variable(argosy: Command) -> None:
    Path("job.json").write_text('{"executable": "echo", "arguments": ["${HOME}/a b"]}')
    assert argosy("submit", "job.json").code == 0
    assert """\ncommand\n  echo "${HOME-}"'/a b'\n""" in argosy("status", "-vv", "@last").out
