"""`argosy serve` and `argosy stop` with a real service."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from argosy.endpoints import runtime
from argosy.model.user import own_name
from tests.service.running import RunningService


@pytest.fixture
def home(service_home: RunningService, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_HOME", str(service_home.directory))
    return service_home.directory


@pytest.fixture
def service_home(tmp_path: Path):
    running = RunningService(tmp_path / "home")
    yield running
    running.end()


def argosy(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "argosy.cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_service_in_the_background(home: Path) -> None:
    assert argosy("stop").returncode == 3
    started = argosy("serve", "--detach")
    assert started.returncode == 0, started.stderr
    pid = json.loads((home / "endpoint.json").read_text())["pid"]
    assert str(pid) in started.stdout
    second = argosy("serve", "--detach")
    assert second.returncode == 1
    assert "another service runs" in second.stderr
    ran = argosy("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (ran.returncode, ran.stdout) == (7, "out\n")
    assert "err\n" in ran.stderr
    listed = argosy("list", "--json")
    assert json.loads(listed.stdout.splitlines()[0])["exit_code"] == 7
    stopped = argosy("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert not (home / "endpoint.json").exists()
    unreachable = argosy("list")
    assert unreachable.returncode == 3
    assert "argosy serve" in unreachable.stderr
    assert stopped.stderr == ""
    assert "Traceback" not in (home / "service.log").read_text()


def test_a_bad_configuration_is_told(home: Path) -> None:
    home.mkdir()
    (home / "argosy.toml").write_text("[service]\nnosuch = 1\n")
    done = argosy("serve")
    assert done.returncode == 1
    assert "service.nosuch" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_owner_is_whom_the_service_runs_as_whatever_the_environment_says(service_home: RunningService) -> None:
    service_home.directory.mkdir(mode=0o700)
    service_home.start(environ=dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "somebody-else"))
    made = service_home.client().submit({"executable": "true"})
    assert made.owner == pwd.getpwuid(os.geteuid()).pw_name == own_name()


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert own_name() == str(os.geteuid())


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n"])
def test_a_token_that_is_none_is_told(home: Path, content: bytes) -> None:
    home.mkdir(mode=0o700)
    (home / "token").write_bytes(content)
    done = argosy("serve")
    assert done.returncode == 1
    assert f"{home / 'token'} holds no token; remove it" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_that_cannot_be_written_leaves_none_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"

    def full(fd: int) -> None:
        assert not token.exists(), "it has its name before it is on disk"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            runtime._token(token)
    made = runtime._token(token)
    assert len(made) > 30
    assert runtime._token(token) == made
    assert token.stat().st_mode & 0o777 == 0o600
