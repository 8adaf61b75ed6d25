from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notifications.receiver import Receiver, receiving
from tests.service.running import RunningService

CONFIG = """
[resources.local]
type = "local"

[outbound]
allow = ["127.0.0.0/8"]

[notifications]
allow_http = true
retry_first = 0.2
retry_most = 1
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A service that is not started yet, and may call receivers of this machine."""
    running = RunningService(tmp_path / "home")
    running.directory.mkdir(mode=0o700)
    (running.directory / "argosy.toml").write_text(CONFIG)
    yield running
    running.end()
