"""Where the library keeps things on this machine, and how what nobody needs any more goes away."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

#: Spools of processes that ended long ago are removed after this many seconds.
SPOOL_AGE = 30 * 86_400


def state_directory() -> Path:
    """The directory for what outlives a process (XDG Base Directory Specification, ``$XDG_STATE_HOME``)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "argosy"


def spools(work_directory: str | Path | None, name: str) -> Path:
    """The directory of the spools of the executor `name`, those of processes that ended long ago removed."""
    root = Path(work_directory or state_directory() / "spool").expanduser().resolve() / name
    _remove_old(root)
    return root


def _remove_old(root: Path) -> None:
    if not root.is_dir():
        return
    for spool in root.iterdir():
        with contextlib.suppress(OSError):  # another process clears up too
            used = max(path.stat().st_mtime for path in (spool, *spool.iterdir()))
            if time.time() - used > SPOOL_AGE:
                shutil.rmtree(spool, ignore_errors=True)
