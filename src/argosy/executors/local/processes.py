"""Find and end all processes of a job. Standard library only.

A job's processes are its leader, those in the leader's session or process group, those that carry the job's tag in
their environment, and the descendants of all these. A pid alone names no process, since the system uses it again:
everything here goes by pid and start time, and signals through a pidfd that was checked against both.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from .child import start_time

_TAG = b"ARGOSY_JOB_TAG="
_TICKS = os.sysconf("SC_CLK_TCK")
#: How long after SIGKILL the system may take to end a process before it is given up on, in seconds.
KILL_PATIENCE = 10.0


class Process(NamedTuple):
    """One line of the process table. `start_time` is in clock ticks since boot."""

    pid: int
    parent: int
    group: int
    session: int
    start_time: int
    state: str
    tag: str | None


class Leader(NamedTuple):
    """The process that a job began with. `gone` is when it was reaped, in clock ticks since boot; None before."""

    pid: int
    start_time: int
    gone: int | None = None


def ticks() -> int:
    """Now, in clock ticks since boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)


class Table:
    """The process table at one moment."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self._children: dict[int, list[Process]] = {}
        uid = os.geteuid()
        for name in os.listdir("/proc"):
            if name.isdigit() and (process := _read(name, uid)) is not None:
                self.processes[process.pid] = process
                self._children.setdefault(process.parent, []).append(process)

    def members(self, tag: str | None, leader: Leader | None, known: Container[tuple[int, int]] = ()) -> list[Process]:
        """The processes of a job that have not ended, parents before their children. `tag` None: it has none.

        In that order a signal ends a shell before the program it waits for, and it does not go on to its next command.
        `known` are the pids and start times of processes that were found earlier: a daemon without the tag cannot be
        told from others once its parents are gone.
        """
        found: dict[int, Process] = {}
        todo = [
            process
            for process in self.processes.values()
            if (process.pid, process.start_time) in known or self._is_root(process, tag, leader)
        ]
        myself = os.getpid()
        while todo:
            process = todo.pop()
            if process.pid not in found and process.pid != myself:
                found[process.pid] = process
                todo += self._children.get(process.pid, ())
        living = [process for process in found.values() if process.state not in "ZX"]
        return sorted(living, key=lambda process: self._depth(process, found))

    def _depth(self, process: Process, among: Mapping[int, Process]) -> int:
        depth = 0
        while (parent := among.get(process.parent)) is not None and depth < len(among):
            process, depth = parent, depth + 1
        return depth

    def leaders(self) -> dict[str, Leader]:
        """The leading process of each job that has one, by tag."""
        first: dict[str, Leader] = {}
        for process in sorted(self.processes.values(), key=lambda process: process.start_time):
            if process.tag is not None and process.session == process.pid:
                first.setdefault(process.tag, Leader(process.pid, process.start_time))
        return first

    def _is_root(self, process: Process, tag: str | None, leader: Leader | None) -> bool:
        if tag is not None and process.tag == tag:
            return True
        if leader is None or leader.pid not in (process.session, process.group):
            return False
        now = self.processes.get(leader.pid)
        if now is not None:
            return now.start_time == leader.start_time
        # The leader is gone. A number cannot be used again while it names a session or group, so this is the job's
        # own, unless all of it ended and another leader of that number came and went: that one began later.
        return leader.gone is None or process.start_time <= leader.gone


def _read(name: str, uid: int) -> Process | None:
    tag: str | None = None
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            text = file.read()
            owner = os.fstat(file.fileno()).st_uid
        if owner == uid:
            tag = _read_tag(name)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None  # it ended meanwhile; or it is somebody else's, and /proc is mounted so that those are hidden
    fields = text[text.rindex(b")") + 2 :].split(b" ", 20)
    return Process(
        pid=int(name),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
        state=fields[0].decode(),
        tag=tag,
    )


def _read_tag(name: str) -> str | None:
    try:
        with open(f"/proc/{name}/environ", "rb") as file:
            environ = file.read()
    except PermissionError:
        return None  # a program with other privileges: its session and parents tell whose it is
    if _TAG in environ:
        for entry in environ.split(b"\0"):
            if entry.startswith(_TAG):
                return entry[len(_TAG) :].decode("utf-8", "surrogateescape")
    return None


def open_process(pid: int, started: int) -> int | None:
    """A pidfd of the process with this pid and start time; None where it is gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        same = start_time(pid) == started
    except ProcessLookupError:
        same = False
    if not same:
        os.close(fd)
        return None
    return fd


def send(processes: Iterable[Process], number: int) -> int:
    """Send a signal to exactly these processes; answers how many were reached.

    Those that are gone, or may not be signalled by this user, are left out.
    """
    reached = 0
    for process in processes:
        fd = open_process(process.pid, process.start_time)
        if fd is None:
            continue
        try:
            signal.pidfd_send_signal(fd, number)
            reached += 1
        except (ProcessLookupError, PermissionError):
            continue
        finally:
            os.close(fd)
    return reached


def suspend(tag: str, leader: Leader | None) -> int:
    """Stop all processes of a job (SIGSTOP); answers how many."""
    return _send_to_all(tag, leader, signal.SIGSTOP)


def resume(tag: str, leader: Leader | None) -> int:
    """Let all processes of a job go on (SIGCONT); answers how many."""
    return _send_to_all(tag, leader, signal.SIGCONT)


def _send_to_all(tag: str, leader: Leader | None, number: int) -> int:
    return send(Table().members(tag, leader), number)


class Termination:
    """The ending of one job, in steps: SIGTERM to all its processes, after `grace` seconds SIGKILL.

    Times are those of `time.monotonic`. Processes that appear meanwhile are signalled too.
    """

    def __init__(self, tag: str, grace: float, now: float) -> None:
        self.tag = tag
        self.deadline = now + grace
        self.left: list[Process] = []
        self._known: set[tuple[int, int]] = set()

    def step(self, table: Table, leader: Leader | None, now: float) -> bool:
        """Do what is due; whether it is over. Processes that even SIGKILL did not end stay in `left`."""
        self.left = table.members(self.tag, leader, self._known)
        new = [process for process in self.left if (process.pid, process.start_time) not in self._known]
        self._known.update((process.pid, process.start_time) for process in new)
        if now >= self.deadline:
            send(self.left, signal.SIGKILL)
            return not self.left or now >= self.deadline + KILL_PATIENCE
        send(new, signal.SIGTERM)
        send(new, signal.SIGCONT)  # a stopped process does not notice SIGTERM
        return not self.left


def terminate(tag: str, leader: Leader | None, grace: float) -> list[Process]:
    """End all processes of a job and wait until they have ended; answers those that could not be ended.

    Waits at most `grace` + `KILL_PATIENCE` seconds. The leader counts as ended when it is a zombie.
    """
    termination = Termination(tag, grace, time.monotonic())
    while not termination.step(Table(), leader, time.monotonic()):
        _wait_for_any(termination.left, max(0.01, min(0.1, termination.deadline - time.monotonic())))
    return termination.left


def _wait_for_any(processes: list[Process], timeout: float) -> None:
    poll = select.poll()
    fds = [fd for process in processes if (fd := open_process(process.pid, process.start_time)) is not None]
    try:
        for fd in fds:
            poll.register(fd, select.POLLIN)
        if len(fds) == len(processes):
            poll.poll(timeout * 1000)
    finally:
        for fd in fds:
            os.close(fd)
