"""The whole service: a thousand trivial jobs from creation to their end, and how soon a client knows of an end."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable

import processes
from measuring import Found, NotHere, Options, Row, Sample, alternate, column, cpu_of, cpu_of_children, fraction
from running import Server, service

from argosy.client import Client, Description
from argosy.model import ActivityState

_LIMIT = 120.0


def measure(options: Options) -> Found:
    """Beside the C loop, which does nothing but start the processes."""
    found = Found()
    jobs = options.pick(300, 1000)
    with (
        service(options.scratch / "whole", slots=processes.AT_ONCE) as server,
        server.client() as client,
        _Ends(server) as seen,
    ):
        _run_all(server, client, seen, 50)
        ways: dict[str, Callable[[], Sample]] = {"argosy": lambda: _run_all(server, client, seen, jobs)}
        against = "C posix_spawn"
        try:
            c_loop = processes.c_loop(options.scratch)
            ways[against] = lambda: c_loop(jobs)
        except NotHere as why:
            found.notes.append(str(why))
            against = f"xargs -P{processes.AT_ONCE}"
            ways[against] = lambda: processes.xargs(jobs)
        taken = alternate(options.pick(2, 5), ways)
        ours, reference = taken["argosy"], taken[against]
        for name, what, unit, target in (
            ("rate", "local jobs through the service", "jobs/s", ">= 300"),
            ("cpu_us", "CPU of a job through the service, all of it", "us", ""),
        ):
            found.rows.append(Row(what, unit, column(ours, name), column(reference, name), against, target))
        for name, what in (("service_us", "the service"), ("reaper_us", "the reaper"), ("jobs_us", "the job itself")):
            found.rows.append(Row(f"of which {what}", "us", column(ours, name)))
        shares = ["local"] + (["slurm"] if shutil.which("sbatch") else [])
    with service(options.scratch / "timed") as server, server.client() as client, _Ends(server) as seen:
        for share in shares:
            _timed(client, seen, share, options.pick(20, 50), found)
    return found


def _run_all(server: Server, client: Client, seen: _Ends, jobs: int) -> Sample:
    """Create them in one vector and follow the stream until all have ended."""
    reapers = server.reapers()
    before = _cpu(server.pid, reapers)
    begin = time.perf_counter()
    made = client.submit_many([Description(executable="/bin/true", share="local")] * jobs)
    seen.wait({one.activity.id for one in made if one.activity is not None})
    wall = time.perf_counter() - begin
    used = [(after - then) / jobs * 1e6 for then, after in zip(before, _cpu(server.pid, reapers), strict=True)]
    mine, reaper, children = used
    return processes.per_job({"wall": wall, "cpu": 0.0}, jobs) | {
        "cpu_us": sum(used),
        "service_us": mine,
        "reaper_us": reaper,
        "jobs_us": children,
    }


def _cpu(pid: int, reapers: list[int]) -> tuple[float, float, float]:
    """Of the service, its reapers, and the jobs that the reapers have reaped."""
    return cpu_of(pid), sum(map(cpu_of, reapers)), sum(map(cpu_of_children, reapers))


class _Ends:
    """Listens to the stream of events in a thread, and notes when it learns of an end."""

    def __init__(self, server: Server) -> None:
        self.known: dict[str, float] = {}
        self._news = threading.Condition()
        self._done = False
        self._client = server.client()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> _Ends:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done = True
        with self._client:
            self._client.submit(Description(executable="/bin/true", held=True))  # an event that wakes the listener
            self._thread.join(_LIMIT)

    def _listen(self) -> None:
        for event in self._client.stream(after=0):
            if self._done:
                return
            if ActivityState(event.state).final:
                with self._news:
                    self.known[event.activity] = time.time()
                    self._news.notify_all()

    def wait(self, ids: set[str]) -> None:
        """Until all of these have ended. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: ids <= self.known.keys(), _LIMIT):
                raise TimeoutError(f"{len(ids - self.known.keys())} of {len(ids)} have not ended in {_LIMIT:g} s")


def _timed(client: Client, seen: _Ends, share: str, jobs: int, found: Found) -> None:
    """One job after the other; each writes the time just before its end into its output, by the same clock."""
    late = []
    for _ in range(jobs):
        made = client.submit(Description(executable="/bin/date", arguments=["+%s.%N"], share=share))
        seen.wait({made.id})
        late.append((seen.known[made.id] - float(client.read_file(made.id, "stdout"))) * 1e3)
    for part in (0.5, 0.95):
        found.rows.append(
            Row(f"from a {share} job's end to its client, p{part * 100:.0f}", "ms", [fraction(late, part)])
        )
