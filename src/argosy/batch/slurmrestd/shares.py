"""The partitions, and the nodes that they have now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from argosy.batch.slurm import fields
from argosy.model import Command, Completed, NodeKind, Share, Unavailable, kinds_of

from . import requests, values
from .server import Server

#: States in which a node takes jobs; flags such as DRAIN may follow.
_AT_WORK = frozenset({"idle", "mixed", "allocated", "completing"})
_WHO = ("groups", "accounts", "qos")
_OUT = frozenset({"drain", "down", "fail", "maintenance", "not_responding", "powered_down"})


def shares(server: Server) -> tuple[Command, ...]:
    """One command for both."""
    return (requests.ask(server, [server.slurm("partitions"), server.slurm("nodes")]),)


def parse_shares(done: Sequence[Completed]) -> list[Share]:
    """The partitions, in Slurm's order."""
    (answered,) = done
    answers = requests.answers(answered)
    if len(answers) != 2 or any("partitions" not in one.document and "nodes" not in one.document for one in answers):
        said = next((one.words for one in answers if one.words), answered.words)
        raise Unavailable(f"Slurm's partitions could not be read: {said}")
    nodes: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for node in answers[1].rows("nodes"):
        for partition in node.get("partitions") or ():
            nodes[partition].append(node)
    return [_share(partition, nodes[partition["name"]]) for partition in answers[0].rows("partitions")]


def _share(partition: dict[str, Any], nodes: Sequence[dict[str, Any]]) -> Share:
    # From v0.0.39 on what belongs together is in groups.
    limits, defaults = partition.get("maximums") or {}, partition.get("defaults") or {}
    told = partition.get("state") or (partition.get("partition") or {}).get("state")
    state = values.state(told or "UNKNOWN")
    wall = _count(limits.get("time", partition.get("max_time_limit")))
    default = _count(defaults.get("time", partition.get("default_time_limit")))
    features = {feature for node in nodes for feature in values.words(node.get("features"))}
    return Share(
        name=partition["name"],
        available=state == "UP",
        default="default" in [flag.lower() for flag in values.words(partition.get("flags"))],
        why_not=None if state == "UP" else f"the partition is {state}",
        nodes=_count(partition.get("total_nodes", _group(partition, "nodes", "total"))),
        cores=_count(partition.get("total_cpus", _group(partition, "cpus", "total"))),
        cores_per_node=max((_count(node.get("cpus")) or 0 for node in nodes), default=0) or None,
        free_cores=sum(map(_free, nodes)) if nodes else None,
        memory_per_node=(max((_count(node.get("real_memory")) or 0 for node in nodes), default=0) * 1024 * 1024)
        or None,
        gpus_per_node=max((fields.gpus(node.get("gres") or "") for node in nodes), default=0),
        max_nodes=_count(limits.get("nodes", partition.get("maximum_nodes_per_job"))),
        max_wall=None if wall is None else wall * 60,
        default_wall=None if default is None else default * 60,
        features=tuple(sorted(features)),
        nodes_up=sum(map(_is_up, nodes)),
        architectures=_kinds(nodes, "architecture"),
        operating_systems=_kinds(nodes, "operating_system"),
        restricted=_is_restricted(partition),
        kinds=kinds_of(map(_kind, nodes)),
    )


def _kind(node: dict[str, Any]) -> NodeKind:
    memory = _count(node.get("real_memory"))
    system = str(node.get("operating_system") or "").split()
    return NodeKind(
        up=int(_is_up(node)),
        cores=_count(node.get("effective_cpus", node.get("cpus"))),
        memory=None if memory is None else memory * 1024 * 1024,
        gpus=fields.gpus(node.get("gres") or ""),
        sockets=_count(node.get("sockets")),
        threads=_count(node.get("threads")),
        architecture=str(node.get("architecture") or "").lower() or None,
        system=system[0].lower() if system else None,
        release=system[1] if len(system) > 1 else None,
        features=tuple(sorted(values.words(node.get("active_features") or node.get("features")))),
    )


def _is_up(node: dict[str, Any]) -> bool:
    words = _states(node)
    return bool(words) and not words & _OUT and "unknown" not in words


def _states(node: dict[str, Any]) -> set[str]:
    return {word.lower() for word in [*values.words(node.get("state")), *values.words(node.get("state_flags"))]}


def _kinds(nodes: Sequence[dict[str, Any]], name: str) -> tuple[str, ...]:
    """The first word of it, as of "Linux 6.1.0 #1 SMP", of all nodes."""
    return tuple(sorted({words[0].lower() for node in nodes if (words := str(node.get(name) or "").split())}))


def _is_restricted(partition: dict[str, Any]) -> bool:
    told = [partition.get(f"allowed_{what}") or _group(partition, what, "allowed") for what in _WHO]
    return any(value and str(value).upper() != "ALL" for value in told)


def _group(partition: dict[str, Any], group: str, name: str) -> Any:
    held = partition.get(group)
    return held.get(name) if isinstance(held, dict) else None


def _free(node: dict[str, Any]) -> int:
    words = _states(node)
    if not words & _AT_WORK or words & _OUT:
        return 0
    idle = _count(node.get("idle_cpus", node.get("alloc_idle_cpus")))
    return idle if idle is not None else max((_count(node.get("cpus")) or 0) - (_count(node.get("alloc_cpus")) or 0), 0)


def _count(value: Any) -> int | None:
    """A number; None where there is none, or it is in a form that is not known."""
    try:
        return values.number(value)
    except ValueError:
        return None
