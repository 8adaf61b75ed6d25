"""How costs grow with the number of jobs: a look at the queue, and requests to a service that holds many."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from measuring import Curve, Found, Options, Row, memory_of
from running import Server, service

from argosy.batch.slurm import Slurm, queue
from argosy.batch.slurm.environment import SEPARATOR
from argosy.executors.batch.reconcile import Policy, Watched, on_seen
from argosy.executors.contract import Handle
from argosy.model import Completed


def measure(options: Options) -> Found:
    """A queue of text through Slurm's parser and the watcher's decisions; then a service over its REST interface."""
    found = Found()
    _poll(options, found)
    _service(options, found)
    return found


# -- one look at the queue --------------------------------------------------------------------


def _poll(options: Options, found: Found) -> None:
    sizes = [100, 1000, 10_000]
    rounds = options.pick(3, 9)
    taken: dict[int, list[float]] = {}
    bare: dict[int, list[float]] = {}
    for size in sizes:
        ids, text = queue_text(size)
        taken[size], bare[size] = [], []
        for _ in range(rounds):
            bare[size].append(_timed(lambda text=text: [line.split(SEPARATOR) for line in text.split("\n")]))
            watched = {native_id: Watched(Handle(f"t{native_id}", native_id), 0.0) for native_id in ids}
            taken[size].append(_timed(lambda ids=ids, text=text, watched=watched: _look(ids, text, watched)))
    for size in sizes:
        found.rows.append(
            Row(f"a look at the queue, {size} jobs", "ms CPU", taken[size], bare[size], "splitting its lines")
        )
    each = {size: sorted(taken[size])[rounds // 2] / size * 1e3 for size in sizes}
    found.curves.append(
        Curve("A look at the queue (parse and reconcile)", "jobs", "us a job", list(sizes), {"Slurm": [*each.values()]})
    )


def queue_text(size: int) -> tuple[list[str], str]:
    """What squeue prints for so many jobs, a third of them running."""
    ids = [str(number) for number in range(1000, 1000 + size)]
    lines = []
    for number, native_id in enumerate(ids):
        runs = number % 3 == 0
        state, reason, nodes = ("RUNNING", "None", f"n{number % 64 + 1}") if runs else ("PENDING", "Priority", "")
        values = (
            native_id,
            state,
            "0",
            "0",
            "1714557600",
            "1714557605" if runs else "N/A",
            "N/A",
            nodes,
            "debug",
            reason,
            f"{queue.MARK}t{native_id}",
        )
        lines.append(SEPARATOR.join(values) + SEPARATOR)
    return ids, "\n".join(lines) + "\n"


def _look(ids: list[str], text: str, watched: dict[str, Watched]) -> None:
    system = Slurm()
    system.status(ids)
    snapshot = system.parse_status(Completed(("squeue",), 0, text, ""), ids)
    assert len(snapshot.jobs) == len(ids)
    policy = Policy()
    reports = [on_seen(watched[native_id], seen, 1.0, 2.0, policy) for native_id, seen in snapshot.jobs.items()]
    assert all(reports)


def _timed(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e3


# -- a service that holds many ----------------------------------------------------------------


def _service(options: Options, found: Found) -> None:
    sizes = [100, 1000, 10_000]
    cases: dict[str, tuple[Any, ...]] = {
        "create": ("create", 1, options.pick(100, 300)),
        "status of one": ("status", 1, options.pick(200, 600), 1),
        "status of 100": ("status", 1, options.pick(50, 200), 100),
    }
    lines: dict[str, list[float]] = {name: [] for name in (*cases, "page of 50", "memory of the service")}
    rounds = options.pick(1, 3)
    with service(options.scratch / "growth") as server, server.client() as client:
        held: list[str] = []
        for size in sizes:
            while len(held) < size:
                many = min(1000, size - len(held))
                made = client.submit_many([{"executable": "/bin/true", "held": True}] * many)
                held += [one.activity.id for one in made if one.activity is not None]
            for name, (what, connections, requests, *vector) in cases.items():
                more = [*vector, *held[: vector[0]]] if vector else []
                runs = [server.load(what, connections, requests, *more) for _ in range(rounds)]
                lines[name].append(sorted(run["p50_ms"] for run in runs)[rounds // 2])
            lines["page of 50"].append(_page(client))
            lines["memory of the service"].append(_memory(server) / 2**20)
    for name, values in lines.items():
        unit = "MiB" if name.startswith("memory") else "ms p50"
        against = f"{sizes[0]} activities"
        found.rows.append(Row(f"{name}, {sizes[-1]} activities held", unit, values[-1:], values[:1], against))
    memory = lines.pop("memory of the service")
    found.curves.append(Curve("Requests to a service that holds many", "activities", "ms", list(sizes), lines))
    found.curves.append(Curve("Memory of the service", "activities", "MiB", list(sizes), {"service": memory}))


def _page(client: Any) -> float:
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        for _item, _number in zip(client.list(page_size=50), range(50), strict=False):
            continue
        taken.append((time.perf_counter() - begin) * 1e3)
    return sorted(taken)[10]


def _memory(server: Server) -> float:
    return float(memory_of(server.pid))
