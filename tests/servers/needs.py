"""What tests need of the machine: found, installed where that can be done, or said to be absent."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class NotHere(Exception):
    """Something that tests need cannot be had; says why."""


def absent(reason: object) -> NoReturn:
    """What the test needs is not here: it is skipped; where CI is set, and everything has to be there, it fails."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(reason))


def need(*names: str) -> list[str]:
    """Where these programs are, by their whole paths; otherwise as `absent`."""
    return [shutil.which(name, path=PATH) or absent(f"there is no {name}") for name in names]


def program(name: str, *packages: str) -> str:
    """Where a program is (or another file, named by its whole path); installed first if need be. Raises NotHere."""
    if os.environ.get("SERVERS") == "no":
        raise NotHere(f"{name} is not wanted: SERVERS=no; the test is to be marked as one that needs servers")
    with (Path(tempfile.gettempdir()) / "argosy-packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := _find(name)) is not None:
            return found
        if os.getuid() != 0 or shutil.which("apt-get") is None:
            raise NotHere(f"there is no {name}, and it cannot be installed without root and apt-get")
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            if done.returncode != 0:
                raise NotHere(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
        if (found := _find(name)) is None:
            raise NotHere(f"{' '.join(packages)} brings no {name}")
        return found


def _find(name: str) -> str | None:
    return shutil.which(name, path=PATH) or (name if name.startswith("/") and os.path.exists(name) else None)
