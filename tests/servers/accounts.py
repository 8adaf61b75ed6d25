"""Real accounts for the tests: argosy-svc runs services, argosy-a and argosy-b use them. See accounts-up.sh."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import argosy
from tests.servers.needs import NotHere

UP = Path(__file__).with_name("accounts-up.sh")
PLACE = Path("/opt/argosy-tests")
SERVICE, USERS = "argosy-svc", ("argosy-a", "argosy-b")


def ensure_accounts() -> None:
    """Make the accounts, and a copy of this project that they can read. Raises NotHere."""
    if os.geteuid() != 0:
        raise NotHere("accounts are made by root")
    command = [UP, sys.executable, Path(argosy.__file__).parent]
    # Of the processes of one run (pytest-xdist), the first does it: the others' tests may be using it already.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    with (Path(tempfile.gettempdir()) / "argosy-accounts-up.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if run and lock.read() == run:
            return
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotHere(str(error)) from error
        if done.returncode != 0:
            raise NotHere(done.stderr.strip() or f"{UP.name} ended with {done.returncode}")
        lock.truncate(0)
        lock.write(run)


def as_account(account: str, *words: str) -> list[str]:
    """The command as that account, with its own environment."""
    return ["runuser", "-u", account, "--", "env", "-i", f"HOME=/home/{account}", f"PATH={os.environ['PATH']}", *words]
