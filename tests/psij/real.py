"""The psij-python that is installed, always in a process of its own: importing it changes signal handlers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers.needs import absent


def require() -> None:
    """Skip the test where psij-python is not installed; where CI is set, fail it."""
    if importlib.util.find_spec("psij") is None:
        absent("psij-python is not installed")


def ask(script: str, home: Path) -> Any:
    """What a program prints, as JSON, that runs with the real psij-python and a home directory of its own."""
    require()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
