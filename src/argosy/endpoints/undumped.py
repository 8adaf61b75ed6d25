"""The memory of the service holds what its users have put into its hands: it is nobody else's to look at."""

from __future__ import annotations

import ctypes
import logging
import sys

log = logging.getLogger(__name__)

#: prctl(2).
_PR_SET_DUMPABLE = 4


def keep_memory() -> None:
    """From now on this process leaves no core file, and no other process of its user can trace it or read its memory.

    What it starts is not concerned: a program begins anew with its own.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("a core file of this process could hold secrets: prctl: error %d", ctypes.get_errno())
