"""Marks by which a request that is made again after a crash knows what it has done already.

Adding to a file twice is not the same as once, and a file that this very request has put there is no reason to refuse.
So, before the last step, a mark is written: of a fetch which file (inode) is about to get the name, of a push how large
the target was before. They lie in the session directory under a name that nobody is shown, and go with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Any

from argosy.model.description import PARTIAL


def _name(token: str) -> str:
    return f"{PARTIAL}mark-{hashlib.sha256(token.encode()).hexdigest()[:32]}"


def read(directory: str, token: str) -> dict[str, Any] | None:
    """The mark of this request; None where there is none that can be read. Blocks."""
    try:
        with open(os.path.join(directory, _name(token)), "rb") as file:
            found = json.loads(file.read(4096))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write(directory: str, token: str, mark: dict[str, Any]) -> None:
    """Write the mark, on the disk when this returns. Blocks."""
    name = os.path.join(directory, _name(token))
    partial = f"{name}-{os.urandom(4).hex()}"
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, json.dumps(mark).encode())
        os.fsync(fd)
        os.rename(partial, name)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise
    finally:
        os.close(fd)


def clear(directory: str, token: str) -> None:
    """Remove the mark."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, _name(token)))
