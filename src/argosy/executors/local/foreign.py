"""Processes that were not started here, and are known by their ids: attached to, or named by whoever wants them ended.

A process id alone is used again by the system: from the moment at which it is looked up a process is known by its start
time too.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence

from argosy.executors.job import Job
from argosy.model import InvalidJobException, SubmitException

from .child import start_time
from .processes import Leader, Table, open_process, send

_FORM = re.compile(r"[1-9][0-9]*", re.ASCII)
#: The largest id that the system's calls take; none is that large.
_LARGEST = 2**31 - 1


class Attached:
    """A process that a job was attached to, and that another program started."""

    __slots__ = ("cancelled", "job", "leader", "pidfd")

    def __init__(self, job: Job, leader: Leader, pidfd: int) -> None:
        self.job = job
        self.leader = leader
        self.pidfd = pidfd
        self.cancelled = False


def process_id(native_id: object) -> int:
    """The process id that a native id is. Raises InvalidJobException where it is none."""
    if not isinstance(native_id, str) or not _FORM.fullmatch(native_id):
        raise InvalidJobException(f"{native_id!r} is not a process id", element="native_id")
    # Longer ones are no process's either, and Python refuses to read them.
    return int(native_id) if len(native_id) < len(str(_LARGEST)) else _LARGEST


def find(pid: int) -> Leader:
    """The process that has this id now. Raises ProcessLookupError."""
    return Leader(pid, start_time(pid))


def signal_all(leader: Leader, numbers: Sequence[int]) -> bool:
    """Send signals to a process, its descendants and the session or group that it leads; False where it has ended.

    Raises SubmitException where that is not for this user to do, and OSError.
    """
    fd = open_process(leader.pid, leader.start_time)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, 0)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise SubmitException(f"process {leader.pid}: {error.strerror}", error) from error
    finally:
        os.close(fd)
    members = Table().members(None, leader, {(leader.pid, leader.start_time)})
    for number in numbers:
        send(members, number)
    return True
