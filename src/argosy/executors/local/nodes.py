"""Node files of jobs on this machine: its name once for each process.

Their content depends on the number of processes only, so jobs share them; they stay, for jobs outlive this program.
"""

from __future__ import annotations

import logging
import os
import socket

from argosy.executors.places import state_directory

log = logging.getLogger(__name__)

_made: dict[int, str] = {}
_complained = False


def node_file(processes: int) -> str | None:
    """The path of the file for so many processes; None, and a warning, where it cannot be written."""
    path = _made.get(processes)
    if path is not None and os.path.exists(path):
        return path
    try:
        path = _made[processes] = _make(processes)
    except OSError as error:
        global _complained
        if not _complained:
            _complained = True
            log.warning("jobs on this machine are without PSIJ_NODEFILE, it cannot be written: %s", error)
        return None
    return path


def _make(processes: int) -> str:
    host = socket.gethostname()
    directory = state_directory() / "nodefiles"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = str(directory / f"{host}.{processes}")
    if not os.path.exists(path):
        temporary = f"{path}.{os.getpid()}.{os.urandom(6).hex()}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400), "w") as file:
            file.writelines(f"{host}\n" for _ in range(processes))
        os.rename(temporary, path)
    return path
