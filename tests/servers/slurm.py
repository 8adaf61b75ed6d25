"""A real Slurm for the tests, brought up by slurm-up.sh."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from pathlib import Path

from .needs import NotHere

UP = Path(__file__).with_name("slurm-up.sh")


def ensure_slurm() -> None:
    """Bring the cluster up where it is not. Raises NotHere. Test processes that start together wait for each other."""
    with (Path(tempfile.gettempdir()) / "argosy-slurm-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            done = subprocess.run([UP], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotHere(str(error)) from error
    if done.returncode != 0:
        raise NotHere(done.stderr.strip() or done.stdout.strip() or f"{UP.name} ended with {done.returncode}")
