"""What the reaper has done, on disk: a job that was claimed is never started again, whatever happens to the reaper.

The journal is a file of lines, each a JSON array whose first element says what it is:

    boot    boot id                                  a reaper began; process ids that follow are of this boot
    submit  base environment, jobs as in Job.wire    accepted; one line holds many
    hold    tag / release tag
    claim   tag, time, cores                         about to be started: written and flushed before that
    start   tag, pid, earliest and latest start time in ticks since boot, time
    cancel  tag
    exit    tag, result                              how it ended
    forget  tag                                      its submitter knows how it ended

A last line without its newline was being written when the reaper was killed: nothing had come of it, and it is cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from .job import Job

#: The journal is written anew where it holds this many lines, and this many times those that its jobs need.
REWRITE_LINES = 20_000
REWRITE_RATIO = 8


class Journal:
    """The journal in `directory`. Records given to `add` are written by `write`."""

    def __init__(self, directory: str, log: Callable[[str], None]) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "journal")
        self._log = log
        self._pending: list[str] = []
        self._lines = 0
        self._size = 0
        self._fd = -1

    def add(self, *record: Any) -> None:
        """Note something, to be written with the next `write` that succeeds."""
        self._pending.append(json.dumps(record, separators=(",", ":")))

    def write(self, *, sync: bool) -> None:
        """Write what was noted; where `sync`, it and all before it survive a crash of the machine.

        Raises OSError where that cannot be done, the disk being full, say; nothing is then half written.
        """
        if self._pending:
            data = ("\n".join(self._pending) + "\n").encode("ascii")
            try:
                _write_all(self._fd, data)
            except OSError:
                os.ftruncate(self._fd, self._size)
                raise
            self._size += len(data)
            self._lines += len(self._pending)
            self._pending.clear()
        if sync:
            os.fdatasync(self._fd)

    def read(self) -> tuple[dict[str, Job], str | None]:
        """The jobs that are not forgotten, in the order they came, and the boot of the last reaper; opens the file."""
        jobs: dict[str, Job] = {}
        boot: str | None = None
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(self._fd, "rb", closefd=False) as file:
            for line in file:
                if not line.endswith(b"\n"):
                    self._log(f"the journal's last line is incomplete and is cut off: {line!r}")
                    os.ftruncate(self._fd, self._size)
                    break
                self._size += len(line)
                self._lines += 1
                try:
                    record = json.loads(line)
                    if record[0] == "boot":
                        boot = record[1]
                    else:
                        apply(jobs, record)
                except (ValueError, TypeError, LookupError) as error:
                    self._log(f"a line of the journal cannot be understood ({error!r}): {line!r}")
        return jobs, boot

    def bloated(self, jobs: int) -> bool:
        """Whether most of the journal is about forgotten jobs."""
        return self._lines > REWRITE_LINES and self._lines > REWRITE_RATIO * (jobs + 1)

    def rewrite(self, jobs: Iterable[Job], boot: str) -> None:
        """Replace the journal by one that holds these jobs alone. Raises OSError; the old one is then still there."""
        self.write(sync=False)
        temporary = self._path + ".new"
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        records: list[tuple[Any, ...]] = [("boot", boot)]
        for job in jobs:
            records += job.records()
        data = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode("ascii")
        try:
            _write_all(fd, data)
            os.fdatasync(fd)
            os.rename(temporary, self._path)
        except OSError:
            os.close(fd)
            self._lines = 0  # tried again when as much was written once more
            raise
        sync_directory(self._directory)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._lines, self._size = fd, len(records), len(data)


def apply(jobs: dict[str, Job], record: list[Any]) -> None:
    """Bring `jobs` up to date with one record."""
    match record:
        case ["submit", base, list(wires)]:
            for wire in wires:
                job = Job.from_wire(wire, base)
                jobs.setdefault(job.tag, job)
        case ["claim", tag, claimed, cores]:
            job = jobs.setdefault(tag, Job(tag, cores, claimed))
            job.claimed, job.prepared = claimed, None
        case ["start", tag, pid, earliest, latest, started]:
            job = jobs[tag]
            job.pid, job.start_window, job.started = pid, (earliest, latest), started
        case ["exit", tag, result]:
            jobs[tag].set_result(result)
        case ["hold", tag]:
            jobs[tag].held = True
        case ["release", tag]:
            # As in the reaper's own queue: a released job waits behind those that are there.
            job = jobs.pop(tag)
            job.held = False
            jobs[tag] = job
        case ["cancel", tag]:
            jobs[tag].cancelled = True
        case ["forget", tag]:
            jobs.pop(tag, None)
        case _:
            raise ValueError("no such record")


def sync_directory(path: str) -> None:
    """Flush a directory's entries to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
