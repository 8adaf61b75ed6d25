"""sinfo, scontrol and squeue: the partitions, the nodes behind them, and how many jobs are there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from argosy.model import Command, Completed, NodeKind, Share, Unavailable, kinds_of
from argosy.model.numbers import whole

from . import fields, inventory
from .environment import SEPARATOR, query

# Partition, its state, nodes, cores of a node, cores allocated/idle/other/total, MiB of a node, generic resources,
# features; one line for all nodes alike.
_FORMAT = SEPARATOR.join(("%R", "%a", "%D", "%c", "%C", "%m", "%G", "%f"))


# Partitions (several of a job that waits in several), and the state's short form.
_JOBS = SEPARATOR.join(("%P", "%t"))


def shares() -> tuple[Command, ...]:
    """What the nodes are now, what the partitions allow, what each node is, and which jobs there are."""
    return (
        query("sinfo", "-h", "-e", "-o", _FORMAT),
        query("scontrol", "show", "partition", "-o"),
        inventory.nodes(),
        query("squeue", "-h", "-a", "-t", "PENDING,RUNNING", "-o", _JOBS),
    )


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The partitions, in Slurm's order. What only single nodes and jobs tell is left out where they do not answer."""
    nodes, partitions, single, jobs = done
    for answer in (nodes, partitions):
        if answer.returncode != 0:
            raise Unavailable(f"Slurm's partitions could not be read: {answer.words}")
    rows: defaultdict[str, list[list[str]]] = defaultdict(list)
    for line in nodes.stdout.splitlines():
        row = line.split(SEPARATOR)
        if len(row) == 8:
            rows[row[0]].append(row)
    behind = inventory.parse_nodes(single) if single.returncode == 0 else None
    counts = _jobs(jobs) if jobs.returncode == 0 else None
    found = []
    for line in partitions.stdout.splitlines():
        facts = dict(pair for word in line.split() if len(pair := word.split("=", 1)) == 2)
        if "PartitionName" in facts:
            name = facts["PartitionName"]
            found.append(_share(facts, rows[name], None if behind is None else behind.get(name, []), counts))
    return found


def _jobs(answer: Completed) -> Counter[tuple[str, str]]:
    """How many jobs there are, by partition and state. An array's tasks that wait are one."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in answer.stdout.splitlines():
        partitions, _, state = line.partition(SEPARATOR)
        counts.update((partition, state.strip()) for partition in partitions.split(","))
    return counts


def _share(
    facts: dict[str, str],
    rows: list[list[str]],
    nodes: list[NodeKind] | None,
    jobs: Counter[tuple[str, str]] | None,
) -> Share:
    name = facts["PartitionName"]
    state = facts.get("State", "UNKNOWN")
    features = sorted({feature for row in rows for feature in (fields.text(row[7]) or "").split(",") if feature})
    return Share(
        name=name,
        available=state == "UP",
        default=facts.get("Default") == "YES",
        why_not=None if state == "UP" else f"the partition is {state}",
        nodes=_count(facts.get("TotalNodes")),
        cores=_count(facts.get("TotalCPUs")),
        cores_per_node=max((_count(row[3]) or 0 for row in rows), default=0) or None,
        free_cores=sum(_count(row[4].split("/")[1]) or 0 for row in rows if row[4].count("/") == 3) if rows else None,
        memory_per_node=(max((_count(row[5]) or 0 for row in rows), default=0) * 1024 * 1024) or None,
        gpus_per_node=max((fields.gpus(row[6]) for row in rows), default=0),
        max_nodes=_count(facts.get("MaxNodes")),
        max_wall=_limit(facts.get("MaxTime")),
        default_wall=_limit(facts.get("DefaultTime")),
        features=tuple(features),
        nodes_up=None if nodes is None else sum(node.up or 0 for node in nodes),
        jobs_running=None if jobs is None else jobs[name, "R"],
        jobs_waiting=None if jobs is None else jobs[name, "PD"],
        architectures=tuple(sorted({node.architecture for node in nodes or () if node.architecture})),
        operating_systems=tuple(sorted({node.system for node in nodes or () if node.system})),
        restricted=any(facts.get(field, "ALL") != "ALL" for field in ("AllowGroups", "AllowAccounts", "AllowQos")),
        kinds=kinds_of(nodes or ()),
    )


def _count(value: str | None) -> int | None:
    return whole((value or "").rstrip("+"))


def _limit(value: str | None) -> int | None:
    """A time limit in seconds; None where there is none, or it is in a form that is not known."""
    try:
        return fields.duration(value or "")
    except ValueError:
        return None
