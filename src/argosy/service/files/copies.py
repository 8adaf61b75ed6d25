"""Files of a job's own credentials: in ``.credentials/ID`` beside the session directories, for its account alone.

They lie beside the session directories and not in them, so that nobody is shown them who is shown a job's files.
Everything here blocks.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping

_FOLDER = ".credentials"
#: Whom else a file is for, as the kernel has it (acl(5)): the account on the host where a job of another account runs.
ACCESS_LIST = "system.posix_acl_access"
_NAME = re.compile(r"[a-z0-9]{1,32}", re.ASCII)


def place_of(session: str) -> str:
    """Where the copies are for the job of a session directory."""
    spread, id = os.path.split(session)
    return os.path.join(os.path.dirname(spread), _FOLDER, id)


def write(session: str, contents: Mapping[str, str]) -> None:
    """Write the copies, each whole, or leave those that are there as they are."""
    place = place_of(session)
    for directory in (os.path.dirname(place), place):
        os.makedirs(directory, mode=0o700, exist_ok=True)
    for name, content in contents.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a copy")
        target = os.path.join(place, name)
        partial = os.path.join(place, f".{name}.new")
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="latin-1") as file:
            os.fchmod(fd, 0o600)
            with contextlib.suppress(OSError):  # there is none yet, or it is for nobody else
                os.setxattr(fd, ACCESS_LIST, os.getxattr(target, ACCESS_LIST, follow_symlinks=False))
            file.write(content)
        # Whoever reads it reads the old one or the new one whole.
        os.replace(partial, target)


def remove(session: str) -> None:
    """Remove the copies; none are removed already."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(place_of(session))


def kept_beside(session: str) -> list[str]:
    """The ids of the activities that have copies in the same place as that of this session directory."""
    try:
        return os.listdir(os.path.dirname(place_of(session)))
    except FileNotFoundError:
        return []
