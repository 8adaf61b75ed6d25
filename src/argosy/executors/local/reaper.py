"""The reaper: the small process that starts local jobs and keeps their exit codes. Standard library only.

It outlives the service that started it. One reaper owns a directory (a lock on the file ``lock``), listens on the
unix socket ``socket`` in it and keeps ``journal`` there. It runs until nobody needs it: it ends by itself when all
jobs were forgotten and no client has been connected for a while, and at SIGTERM once no job runs.

Each turn of its loop takes in all that has happened, commits what was decided with one flush, and then does it.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from typing import Any

from .clients import Client, Clients
from .job import Job
from .journal import Journal
from .processes import Table
from .work import Work

#: How often writing the journal is tried again where that is not possible, in seconds.
_RETRY = 1.0
#: How long a cancelled job has between SIGTERM and SIGKILL, in seconds, where the request does not say.
_GRACE = 10.0


class Reaper:
    """The loop: requests, ends of processes and times in, what was decided out."""

    def __init__(self, directory: str, slots: int, idle: float) -> None:
        self._journal = Journal(directory, log)
        self._idle = idle
        self._idle_since = time.monotonic()
        self._selector = selectors.EpollSelector()
        self._clients = Clients(self._selector)
        self._work = Work(self._journal, self._selector, slots)
        self._starting: list[Job] = []  # claimed, and to be started once that is written down
        self._stuck = False  # the journal cannot be written
        self._draining = False
        self._boot = ""

    # -- the loop ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Read the journal and find out what became of the jobs of an earlier reaper."""
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self._boot = file.read().strip()
        self._work.jobs, boot = self._journal.read()
        table = Table()
        for job in self._work.jobs.values():
            if job.result is None:
                self._work.recover(job, table, same_boot=boot == self._boot)
        # After that: process ids of an earlier boot must not come to stand under this one.
        self._journal.rewrite(self._work.jobs.values(), self._boot)
        self._work.changed.clear()

    def run(self, listener: socket.socket) -> None:
        """Serve until nobody needs it."""
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        receiver.setblocking(False)
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._drain)
        self._selector.register(receiver, selectors.EVENT_READ, receiver)
        self._clients.listen(listener)
        self._turn()
        while not self._over():
            for key, events in self._selector.select(self._timeout()):
                if key.data is receiver:
                    receiver.recv(4096)
                elif isinstance(key.data, Job):
                    self._work.gone(key.data, key.fd)
                else:
                    for client, request in self._clients.ready(key, events):
                        try:
                            if request["do"] == "tell":
                                self._tell(client, request["tags"])
                            self._clients.answer(client, request, self._do(request))
                        except (ValueError, TypeError, LookupError) as error:
                            self._clients.refuse(client, request, error)
            self._turn()

    def _turn(self) -> None:
        self._work.reap()
        if self._work.terminations and time.monotonic() >= self._work.look_at:
            self._work.terminate()
        if not self._draining:
            self._starting += self._work.choose()
        self._work.again = False
        if not self._commit():
            return  # what is not written down is neither begun nor told
        starting, self._starting = self._starting, []
        for job in starting:
            self._work.start(job)
        if starting and not self._commit():
            return
        if self._work.changed:
            self._clients.tell([job.state() for job in self._work.changed.values()])
            self._work.changed.clear()
        self._clients.flush()
        if self._journal.bloated(len(self._work.jobs)):
            try:
                self._journal.rewrite(self._work.jobs.values(), self._boot)
            except OSError as error:
                log(f"the journal could not be rewritten, and goes on as it is: {error}")

    def _commit(self) -> bool:
        """Write the journal; whether that was possible. It is tried again with each turn, at least once a second."""
        try:
            self._journal.write(sync=self._work.sync)
        except OSError as error:
            if not self._stuck:
                log(f"the journal cannot be written, so nothing is begun or told until it can: {error}")
            self._stuck = True
            return False
        if self._stuck:
            log("the journal can be written again")
        self._work.sync = self._stuck = False
        return True

    def _timeout(self) -> float | None:
        if self._work.again:
            return 0.0
        if self._stuck:
            return _RETRY
        if self._work.terminations:
            return max(0.0, self._work.look_at - time.monotonic())
        if self._work.jobs or self._clients:
            self._idle_since = time.monotonic()
            return None
        return max(0.0, self._idle_since + self._idle - time.monotonic())

    def _over(self) -> bool:
        if self._draining:
            return self._work.active == 0
        if self._work.jobs or self._clients:
            self._idle_since = time.monotonic()
            return False
        return time.monotonic() >= self._idle_since + self._idle

    def _drain(self, number: int, frame: object) -> None:
        log("asked to end: no more jobs are started, and it ends when none runs")
        self._draining = True

    # -- requests ---------------------------------------------------------------------------------

    def _tell(self, client: Client, tags: list[str]) -> None:
        """Tell one client how these jobs are, in order with what every client is told."""
        self._clients.tell([job.state() for tag in tags if (job := self._work.jobs.get(tag)) is not None], client)

    def _do(self, request: dict[str, Any]) -> Any:
        """Do what a client asks for; the answer. Raises ValueError, TypeError or LookupError for what is no request."""
        match request["do"]:
            case "submit":
                return self._work.submit(request["environ"], request["jobs"])
            case "find" | "tell":
                return [tag for tag in request["tags"] if tag in self._work.jobs]
            case "control":
                verb, grace = request["verb"], request.get("grace", _GRACE)
                return [self._work.control(verb, tag, grace) for tag in request["tags"]]
            case "forget":
                return [self._work.forget(tag) for tag in request["tags"]]
            case "list":
                return [job.tag for job in self._work.jobs.values() if job.result is None]
            case "slots":
                self._work.set_slots(request["slots"])
                return self._work.status()
            case "status":
                return self._work.status()
            case "stop":
                self._drain(0, None)
                return self._work.status()
            case other:
                raise ValueError(f"no such request: {other!r}")


def log(message: str) -> None:
    """A line in the log (standard error)."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    os.write(2, f"{stamp} {message}\n".encode("utf-8", "backslashreplace"))
