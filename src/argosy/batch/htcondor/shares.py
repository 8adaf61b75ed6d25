"""condor_status: what the pool has. HTCondor has one queue, so there is one share, without a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argosy.model import Command, Completed, Share

from .environment import query
from .queue import records

_ATTRIBUTES = "Machine,SlotType,State,Cpus,Memory,TotalSlotCpus,TotalSlotMemory,TotalSlotGPUs"


def shares() -> tuple[Command, ...]:
    """The slots. The dynamic ones are parts of partitionable ones, which tell the whole."""
    return (query("condor_status", "-json", "-attributes", _ATTRIBUTES),)


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The pool. Raises Unavailable where the collector does not answer."""
    (slots,) = done
    cores: dict[str, int] = {}
    memory: dict[str, int] = {}
    gpus: dict[str, int] = {}
    free = 0
    for record, _ in records(slots):
        if record is None or not isinstance(record.get("Machine"), str) or record.get("SlotType") == "Dynamic":
            continue
        machine = record["Machine"]
        cores[machine] = cores.get(machine, 0) + _count(record, "TotalSlotCpus", "Cpus")
        memory[machine] = memory.get(machine, 0) + _count(record, "TotalSlotMemory", "Memory")
        gpus[machine] = gpus.get(machine, 0) + _count(record, "TotalSlotGPUs")
        free += _count(record, "Cpus") if record.get("State") == "Unclaimed" else 0
    return [
        Share(
            name="",
            available=bool(cores),
            default=True,
            why_not=None if cores else "there is no machine in the pool",
            nodes=len(cores),
            cores=sum(cores.values()),
            cores_per_node=max(cores.values(), default=0) or None,
            free_cores=free,
            memory_per_node=max(memory.values(), default=0) * 1024 * 1024 or None,
            gpus_per_node=max(gpus.values(), default=0),
            max_nodes=1,
        )
    ]


def _count(record: dict[str, Any], *names: str) -> int:
    for name in names:
        value = record.get(name)
        if type(value) is int and value >= 0:
            return value
    return 0
