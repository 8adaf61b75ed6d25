"""What the nodes of a queue are: GLUE 2's ExecutionEnvironment in a batch system's own terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class NodeKind:
    """Nodes that are alike. What is not told is None, or empty.

    `count` are all of them, `up` those that work now. The rest is of one node: `cores` that jobs may have, `memory` in
    bytes, `sockets`, `threads` of each core; `architecture` and `system` as ``uname -m`` and ``uname -s`` have them,
    in lower case, `release` as ``uname -r``; `clock` in MHz. `features` are the batch system's words for it.
    """

    count: int = 1
    up: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    sockets: int | None = None
    threads: int | None = None
    cpu_model: str | None = None
    cpu_vendor: str | None = None
    clock: int | None = None
    architecture: str | None = None
    system: str | None = None
    release: str | None = None
    virtual_memory: int | None = None
    features: tuple[str, ...] = ()


def kinds_of(nodes: Iterable[NodeKind]) -> tuple[NodeKind, ...]:
    """The kinds that single nodes are of, the most frequent first."""
    counts: Counter[NodeKind] = Counter()
    up: Counter[NodeKind] = Counter()
    told = True
    for node in nodes:
        kind = replace(node, count=1, up=None)
        counts[kind] += node.count
        if node.up is None:
            told = False
        else:
            up[kind] += node.up
    return tuple(
        replace(kind, count=count, up=up[kind] if told else None)
        for kind, count in sorted(counts.items(), key=lambda item: (-item[1], repr(item[0])))
    )
