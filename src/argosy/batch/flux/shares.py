"""``flux queue`` and ``flux resource``: the queues, and what they have."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence

from argosy.model import Command, Completed, Share, Unavailable

from .environment import query

_DEFAULT = ("policy", "jobspec", "defaults", "system", "queue")


def shares() -> tuple[Command, ...]:
    """Which queues take jobs and start them; their limits; what the nodes are; which queue is the default."""
    return (
        query("flux", "queue", "status"),
        query("flux", "queue", "list", "-n", "-o", "{queue}|{defaults.timelimit}|{limits.timelimit}"),
        query("flux", "resource", "list", "-n", "-o", "{state}|{queue}|{nnodes}|{ncores}|{ngpus}"),
        query("flux", "config", "get"),
    )


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The queues; one without a name where Flux has none. Only the first answer must be there."""
    status, limits, resources, configured = done
    if status.returncode != 0:
        raise Unavailable(f"Flux's queues could not be read: {status.words}")
    why: dict[str, str | None] = {}
    for line in status.stdout.splitlines():
        subject, colon, words = line.partition(": ")
        name = subject if colon and words.startswith(("Job submission is ", "Scheduling is ")) else ""
        words = words if name else line
        if words.startswith(("Job submission is ", "Scheduling is ")):
            is_well = words.startswith(("Job submission is enabled", "Scheduling is started"))
            why[name] = why.get(name) or (None if is_well else words.strip())
    if not why:
        raise Unavailable(f"Flux's queues could not be read: {status.words}")
    times = _limits(limits)
    amounts = _amounts(resources, list(why))
    default = _default(configured)
    return [
        Share(
            name=name,
            available=not_well is None,
            default=name == default or len(why) == 1,
            why_not=not_well,
            nodes=amounts[name].get("nodes"),
            cores=amounts[name].get("cores"),
            cores_per_node=amounts[name].get("cores_per_node"),
            free_cores=amounts[name].get("free"),
            gpus_per_node=amounts[name].get("gpus_per_node") or 0,
            max_wall=times.get(name, (None, None))[1],
            default_wall=times.get(name, (None, None))[0],
        )
        for name, not_well in why.items()
    ]


def _limits(done: Completed) -> dict[str, tuple[int | None, int | None]]:
    rows = (line.split("|") for line in done.stdout.splitlines())
    return {row[0].rstrip("*"): (_seconds(row[1]), _seconds(row[2])) for row in rows if len(row) == 3}


def _seconds(value: str) -> int | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return int(seconds) if math.isfinite(seconds) and seconds > 0 else None


def _amounts(done: Completed, queues: list[str]) -> defaultdict[str, dict[str, int]]:
    """Nodes and cores of each queue. Free and allocated parts of one node are lines of their own."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line in done.stdout.splitlines():
        row = [part.strip() for part in line.split("|")]
        if len(row) != 5 or not all(_is_count(part) for part in row[2:]):
            continue
        nodes, cores, gpus = map(int, row[2:])
        for name in row[1].split(",") if row[1] else queues:
            amounts = found[name]
            amounts["nodes"] = max(amounts.get("nodes", 0), nodes)
            amounts["cores"] = amounts.get("cores", 0) + cores
            amounts["gpus"] = amounts.get("gpus", 0) + gpus
            amounts["free"] = amounts.get("free", 0) + (cores if row[0] == "free" else 0)
    for amounts in found.values():
        if amounts["nodes"]:
            amounts["cores_per_node"] = amounts["cores"] // amounts["nodes"]
            amounts["gpus_per_node"] = amounts["gpus"] // amounts["nodes"]
    return found


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12


def _default(done: Completed) -> str | None:
    try:
        value = json.loads(done.stdout)
    except (ValueError, RecursionError):
        return None
    for key in _DEFAULT:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
