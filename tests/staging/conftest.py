from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from argosy.outbound import OutboundPolicy
from argosy.staging import Staging, StagingConfig
from tests.staging.web import FaultyWeb


@pytest.fixture
def web() -> Iterator[FaultyWeb]:
    """A web server that misbehaves as told."""
    server = FaultyWeb()
    yield server
    server.stop()


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """An empty session directory."""
    path = tmp_path / "session"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., Staging]]:
    """Makes a staging with options of the configuration, impatient and let to the loopback, closed in the end."""
    made: list[Staging] = []

    def one(*, policy: OutboundPolicy | None = None, fault: Any = None, **options: Any) -> Staging:
        config = msgspec.convert({"retry_first": 0.01, "retry_most": 0.2, **options}, StagingConfig)
        staging = Staging(
            config,
            policy or OutboundPolicy(["127.0.0.0/8", "localhost"]),
            str(tmp_path / "staging"),
            **({"fault": fault} if fault else {}),
        )
        made.append(staging)
        return staging

    yield one
    for staging in made:
        await staging.close()


def left(session: Path) -> list[str]:
    """What is in a session directory, hidden names included."""
    return sorted(str(path.relative_to(session)) for path in session.rglob("*"))
