from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import RunningService


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A service that is not started yet."""
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    yield running
    running.end()


@pytest.fixture(params=["local", pytest.param("slurm", marks=pytest.mark.slurm)])
def share(request: pytest.FixtureRequest) -> str:
    """Where jobs go: processes of this machine, and a real Slurm."""
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    return str(request.param)


@pytest.fixture
def only_that_share(service: RunningService, share: str) -> None:
    """The service has no other resources: they would be asked, and waited for, at every start."""
    (service.directory / "argosy.toml").write_text(f'[resources.{share}]\ntype = "{share}"\n')
