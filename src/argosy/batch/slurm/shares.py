"""sinfo and scontrol: the partitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from argosy.model import Command, Completed, Share, Unavailable

from . import fields
from .environment import SEPARATOR, query

# Partition, its state, nodes, cores of a node, cores allocated/idle/other/total, MiB of a node, generic resources,
# features; one line for all nodes alike.
_FORMAT = SEPARATOR.join(("%R", "%a", "%D", "%c", "%C", "%m", "%G", "%f"))


def shares() -> tuple[Command, ...]:
    """What the nodes are now, and what the partitions allow."""
    return (query("sinfo", "-h", "-e", "-o", _FORMAT), query("scontrol", "show", "partition", "-o"))


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The partitions, in Slurm's order."""
    nodes, partitions = done
    for answer in done:
        if answer.returncode != 0:
            raise Unavailable(f"Slurm's partitions could not be read: {answer.words}")
    rows: defaultdict[str, list[list[str]]] = defaultdict(list)
    for line in nodes.stdout.splitlines():
        row = line.split(SEPARATOR)
        if len(row) == 8:
            rows[row[0]].append(row)
    found = []
    for line in partitions.stdout.splitlines():
        facts = dict(pair for word in line.split() if len(pair := word.split("=", 1)) == 2)
        if "PartitionName" in facts:
            found.append(_share(facts, rows[facts["PartitionName"]]))
    return found


def _share(facts: dict[str, str], rows: list[list[str]]) -> Share:
    state = facts.get("State", "UNKNOWN")
    features = sorted({feature for row in rows for feature in (fields.text(row[7]) or "").split(",") if feature})
    return Share(
        name=facts["PartitionName"],
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
    )


def _count(value: str | None) -> int | None:
    digits = (value or "").rstrip("+")
    return int(digits) if digits.isdecimal() else None


def _limit(value: str | None) -> int | None:
    """A time limit in seconds; None where there is none, or it is in a form that is not known."""
    try:
        return fields.duration(value or "")
    except ValueError:
        return None
