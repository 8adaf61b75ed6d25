"""qstat -Q and pbsnodes: the queues, and what is behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from argosy.model import Command, Completed, NodeKind, Share, Unavailable, kinds_of
from argosy.model.numbers import whole

from . import values
from .attributes import Described, read
from .environment import query

# States of a node that nothing is started on.
_OUT = ("down", "offline", "unknown", "stale", "provisioning", "sleep")


def shares() -> tuple[Command, ...]:
    """The queues, the server's default one, and the nodes."""
    return (query("qstat", "-Q", "-f"), query("qstat", "-B", "-f"), query("pbsnodes", "-a"))


def parse_shares(done: Sequence[Completed], name: str = "PBS") -> list[Share]:
    """The queues, in the server's order. What only server and nodes tell is left out where they do not answer."""
    queues, server, nodes = done
    found, _ = read(queues.stdout, "Queue: ")
    if queues.returncode != 0:
        raise Unavailable(f"{name}'s queues could not be read: {queues.words}")
    servers, _ = read(server.stdout, "Server: ")
    default = servers[0].get("default_queue") if servers and server.returncode == 0 else None
    hosts = read(nodes.stdout, "")[0] if nodes.returncode == 0 else []
    return [_share(queue, default, hosts) for queue in found if queue.name]


def _share(queue: Described, default: str | None, nodes: Sequence[Described]) -> Share:
    closed = [word for word, name in (("disabled", "enabled"), ("stopped", "started")) if queue.get(name) == "False"]
    # A node may belong to one queue; the others serve all queues that have none of their own.
    own = [node for node in nodes if _queue_of(node) == queue.name]
    serving = own or [node for node in nodes if _queue_of(node) is None]
    cores = [_whole(node, "resources_available.ncpus", "np") for node in serving]
    free = [
        max(0, (_whole(node, "resources_available.ncpus", "np") or 0) - (_whole(node, "resources_assigned.ncpus") or 0))
        for node in serving
        if not _is_out(node)
    ]
    told = any(node.get("resources_assigned.ncpus") is not None for node in serving)
    memory = [_size(node, "resources_available.mem") for node in serving]
    most_cores = _whole(queue, "resources_max.ncpus")
    return Share(
        name=queue.name,
        available=not closed,
        default=queue.name == default,
        why_not=f"the queue is {' and '.join(closed)}" if closed else None,
        nodes=len(serving) or None,
        cores=sum(count or 0 for count in cores) or most_cores,
        cores_per_node=max((count or 0 for count in cores), default=0) or None,
        free_cores=sum(free) if told else None,
        memory_per_node=max((amount or 0 for amount in memory), default=0) or None,
        gpus_per_node=max((_whole(node, "resources_available.ngpus", "gpus") or 0 for node in serving), default=0),
        max_nodes=_whole(queue, "resources_max.nodect"),
        max_wall=_duration(queue, "resources_max.walltime"),
        default_wall=_duration(queue, "resources_default.walltime"),
        nodes_up=sum(not _is_out(node) for node in serving) if serving else None,
        jobs_running=_jobs(queue, "Running"),
        jobs_waiting=_jobs(queue, "Queued"),
        architectures=_kinds(uname[-1] for node in serving if (uname := _status(node, "uname").split())),
        # What OpenPBS calls the architecture is the operating system.
        operating_systems=_kinds(node.get("resources_available.arch") or _status(node, "opsys") for node in serving),
        restricted=any(queue.get(f"acl_{kind}_enable") == "True" for kind in ("user", "group"))
        or queue.get("from_route_only") == "True",
        kinds=kinds_of(map(_kind, serving)),
    )


def _kind(node: Described) -> NodeKind:
    """One node. Torque tells of the operating system in the words of ``uname -a``; the third is the release."""
    uname = _status(node, "uname").split()
    system = node.get("resources_available.arch") or _status(node, "opsys")
    words = node.get("properties") or ""
    return NodeKind(
        up=int(not _is_out(node)),
        cores=_whole(node, "resources_available.ncpus", "np"),
        memory=_size(node, "resources_available.mem") or _amount(_status(node, "physmem")),
        gpus=_whole(node, "resources_available.ngpus", "gpus") or 0,
        sockets=_whole(node, "total_sockets"),
        architecture=uname[-1].lower() if uname else None,
        system=system.lower() or None,
        release=uname[2] if len(uname) > 2 else None,
        features=tuple(sorted(word.strip() for word in words.split(",") if word.strip())),
    )


def _is_out(node: Described) -> bool:
    return any(word in (node.get("state") or "") for word in _OUT)


def _status(node: Described, name: str) -> str:
    """One of the things that Torque puts into a node's status, ``NAME=VALUE,...``."""
    for pair in (node.get("status") or "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            return value
    return ""


def _kinds(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({word.lower() for word in words if word}))


def _jobs(queue: Described, state: str) -> int | None:
    """How many of its jobs are in a state: ``Transit:0 Queued:2 ...``."""
    for pair in (queue.get("state_count") or "").split():
        name, _, count = pair.partition(":")
        if name == state:
            return whole(count)
    return None


def _queue_of(node: Described) -> str | None:
    return node.get("queue") or node.get("resources_available.Qlist")


def _whole(described: Described, *names: str) -> int | None:
    for name in names:
        value = whole(described.get(name))
        if value is not None:
            return value
    return None


def _duration(described: Described, name: str) -> int | None:
    """Seconds; None where there is no limit, or it is in a form that is not known."""
    try:
        return values.duration(described.get(name))
    except ValueError:
        return None


def _size(described: Described, name: str) -> int | None:
    return _amount(described.get(name))


def _amount(text: str | None) -> int | None:
    """Bytes; None where it is not told, or in a form that is not known."""
    try:
        return values.size(text or None)
    except ValueError:
        return None
