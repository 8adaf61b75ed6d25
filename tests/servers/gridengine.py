"""A real Grid Engine for the tests, brought up by gridengine-up.sh."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from pathlib import Path

from .needs import NotHere

UP = Path(__file__).with_name("gridengine-up.sh")

#: Where its commands are: those in /usr/bin are wrappers of Debian's, at several times the cost.
PROGRAMS = "/usr/lib/gridengine"
#: By these its commands find it; gridengine-up.sh has the same.
ENVIRONMENT = {
    "SGE_ROOT": "/var/lib/gridengine",
    "SGE_CELL": "argosy",
    "SGE_QMASTER_PORT": "17844",
    "SGE_EXECD_PORT": "17845",
    "SGE_ARCH": "lx-amd64",
}


def ensure_gridengine() -> None:
    """Bring it up where it is not. Raises NotHere. Test processes that start together wait for each other."""
    with (Path(tempfile.gettempdir()) / "argosy-gridengine-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            done = subprocess.run([UP], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotHere(str(error)) from error
    if done.returncode != 0:
        raise NotHere(done.stderr.strip() or done.stdout.strip() or f"{UP.name} ended with {done.returncode}")
