"""Where the library keeps its spools on another host, and how those of programs that ended long ago go away."""

from __future__ import annotations

import logging
import os
from pathlib import PurePosixPath

from argosy.model import Command, Unavailable
from argosy.transport import Transport

log = logging.getLogger(__name__)

#: Relative to the home directory of the user there.
_DEFAULT = ".local/state/argosy/spool"
_TIMEOUT = 60.0
#: $1 is the directory of the spools, $2 an age in days. A spool is as old as the newest of it and of what is directly
#: in it; only names that the library gives (32 hexadecimal digits) are touched.
_REMOVE_OLD = """
cd -- "$1" 2>/dev/null || exit 0
for spool in *; do
    [ "${#spool}" -eq 32 ] && [ -d "$spool" ] || continue
    case $spool in *[!0-9a-f]*) continue ;; esac
    [ -n "$(find "./$spool" "./$spool"/* -prune -mtime "-$2" | head -n 1)" ] || rm -rf -- "./$spool"
done
"""


async def remote_spools(
    transport: Transport, work_directory: str | os.PathLike[str] | None, name: str, age: float
) -> str:
    """The directory of one batch system's spools on the transport's host; spools older than `age` seconds are removed.

    `work_directory` is a path of that host, absolute or relative to the home directory there.
    """
    home = await transport.home()
    given = _DEFAULT if work_directory is None else os.fspath(work_directory).removeprefix("~/")
    root = str(PurePosixPath(home, given, name))
    days = max(1, round(age / 86_400))
    try:
        done = await transport.run(Command(("sh", "-c", _REMOVE_OLD, "sh", root, str(days))), timeout=_TIMEOUT)
        if done.returncode != 0:
            log.warning("old spools in %s on %s cannot be removed: %s", root, transport.where, done.words)
    except Unavailable as error:
        log.warning("old spools in %s on %s cannot be removed: %s", root, transport.where, error)
    return root
