"""The user that this process runs as."""

from __future__ import annotations

import os
import pwd


def own_name() -> str:
    """Their name as the system has it, whatever the environment says; the number of one without a name."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
