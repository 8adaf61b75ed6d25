from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from argosy.cli.app import run
from tests.rest.live import Live, live_server


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("ARGOSY_HOME", str(home))
    for name in ("ARGOSY_URL", "ARGOSY_TOKEN", "ARGOSY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return home


@pytest.fixture
def live(home: Path) -> Iterator[Live]:
    with live_server(home) as server:
        yield server


@pytest.fixture
def argosy(home: Path) -> Command:
    """The command, in this process."""

    def call(*arguments: str, input: str | None = None) -> Done:
        codes: list[int] = []
        runner = CliRunner()
        with runner.isolation(input=input) as (out, err, _):
            codes.append(run(list(arguments)))
            return Done(codes[0], out.getvalue().decode(), err.getvalue().decode())

    return call


def options(*words: Sequence[str]) -> list[str]:
    return [word for group in words for word in group]
