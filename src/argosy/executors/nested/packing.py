"""Which job fits where in an allocation: counting only, no input or output.

Jobs start in the order in which they came. The first that does not fit waits, and those behind it wait with it: a large
job is then never overtaken for ever by small ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from argosy.model import InvalidJobException, ResourceSpecV1

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Node:
    """One node's part of the allocation. `memory` is bytes, None where it is not counted.

    Cores go to jobs in multiples of `unit`, the hardware threads of a core where the batch system divides none.
    """

    name: str
    cores: int
    memory: int | None = None
    gpus: int = 0
    unit: int = 1


@dataclass(frozen=True, slots=True)
class Need:
    """What a job needs: `processes` of `cores` and `gpus` each. `memory` is bytes in all, None where not said.

    `nodes` and `per_node` are None where they do not matter.
    """

    processes: int = 1
    cores: int = 1
    gpus: int = 0
    memory: int | None = None
    nodes: int | None = None
    per_node: int | None = None
    exclusive: bool = False

    @classmethod
    def of(cls, resources: ResourceSpecV1) -> Need:
        """What the specification asks for."""
        laid_out = resources.node_count or resources.processes_per_node
        return cls(
            processes=resources.computed_process_count,
            cores=resources.cpu_cores_per_process or 1,
            gpus=resources.gpu_cores_per_process or 0,
            memory=resources.memory,
            nodes=resources.computed_node_count if laid_out else None,
            per_node=resources.computed_processes_per_node if laid_out else None,
            exclusive=resources.exclusive_node_use,
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """The nodes that a job was given, at most `per_node` processes on each, and how much of each node.

    `memory` is bytes, 0 where it is not limited; `gpus` is of each node.
    """

    nodes: tuple[str, ...]
    per_node: int
    cores: dict[str, int]
    gpus: int
    memory: dict[str, int]


class Pool:
    """What of an allocation is free.

    With `share_memory` a job that asks for no memory gets a part of its nodes' as large as its part of their cores.
    """

    def __init__(self, nodes: Iterable[Node], *, share_memory: bool = False) -> None:
        self._share_memory = share_memory
        self._nodes = {node.name: node for node in nodes}
        self._free = dict(self._nodes)
        self._jobs = dict.fromkeys(self._nodes, 0)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All there is, free or not."""
        return tuple(self._nodes.values())

    @property
    def free(self) -> tuple[Node, ...]:
        """What is free of each node."""
        return tuple(self._free.values())

    def check(self, need: Need) -> None:
        """Raise InvalidJobException, naming the element, for what does not fit even where all is free."""
        empty = Pool(self.nodes, share_memory=self._share_memory)
        if empty.fits(need):
            return
        cores = sum(node.cores for node in self.nodes)
        have = f"the allocation has {len(self.nodes)} nodes, {cores} CPU cores"
        memory, gpus = [node.memory for node in self.nodes], sum(node.gpus for node in self.nodes)
        have += "" if None in memory else f", {sum(size or 0 for size in memory)} bytes of memory"
        have += f", {gpus} GPUs"
        for element, less in (
            ("gpu_cores_per_process", replace(need, gpus=0)),
            ("memory", replace(need, memory=None)),
            ("cpu_cores_per_process", replace(need, cores=1)),
            ("processes_per_node", replace(need, nodes=None, per_node=None)),
            ("node_count", replace(need, nodes=1, per_node=None, processes=1, cores=1, gpus=0, memory=None)),
        ):
            if empty.fits(less):
                if element == "processes_per_node" and need.nodes is not None and need.nodes > len(self.nodes):
                    element = "node_count"
                elif element == "node_count":
                    element = "process_count" if need.nodes is None or need.nodes <= len(self.nodes) else element
                break
        raise InvalidJobException(
            f"the job never fits into the allocation, because of {element}: {have}", element=f"resources.{element}"
        )

    def fits(self, need: Need) -> bool:
        """Whether the job could be given what it needs now."""
        placement = self.take(need)
        if placement is not None:
            self.give_back(placement)
        return placement is not None

    def take(self, need: Need) -> Placement | None:
        """Give the job what it needs, on as few nodes as can be; None where that much is not free."""
        if need.nodes is not None:
            return self._take(need, need.nodes, need.per_node or -(-need.processes // need.nodes))
        for count in range(1, min(len(self._nodes), need.processes) + 1):
            per_node = -(-need.processes // count)
            # Fewer nodes may be enough for so many on each.
            if -(-need.processes // per_node) == count and (found := self._take(need, count, per_node)) is not None:
                return found
        return None

    def _take(self, need: Need, count: int, per_node: int) -> Placement | None:
        gpus = need.gpus * per_node
        cores: dict[str, int] = {}
        memory: dict[str, int] = {}
        for node in self._free.values():
            if len(cores) == count:
                break
            some = _cores(node, need.cores * per_node)
            size = self._memory(need, node, some, count)
            if some > node.cores or gpus > node.gpus or size > (node.memory if node.memory is not None else size):
                continue
            if need.exclusive and self._jobs[node.name]:
                continue
            cores[node.name] = node.cores if need.exclusive else some
            memory[node.name] = size
        if len(cores) < count:
            return None
        for name in cores:
            self._jobs[name] += 1
        placement = Placement(tuple(cores), per_node, cores, gpus, memory)
        self._change(placement, -1)
        return placement

    def _memory(self, need: Need, node: Node, cores: int, count: int) -> int:
        """The memory that a job takes of a node, in bytes; 0 where that does not matter."""
        if need.memory is not None:
            return -(-need.memory // (count * _MIB)) * _MIB
        whole = self._nodes[node.name]
        if not self._share_memory or whole.memory is None:
            return 0
        return whole.memory if need.exclusive else whole.memory * cores // whole.cores

    def give_back(self, placement: Placement) -> None:
        """What a job was given is free again."""
        for name in placement.nodes:
            self._jobs[name] -= 1
        self._change(placement, 1)

    def _change(self, placement: Placement, sign: int) -> None:
        for name in placement.nodes:
            node = self._free[name]
            self._free[name] = replace(
                node,
                cores=node.cores + sign * placement.cores[name],
                gpus=node.gpus + sign * placement.gpus,
                memory=None if node.memory is None else node.memory + sign * placement.memory[name],
            )


def _cores(node: Node, wanted: int) -> int:
    return -(-wanted // node.unit) * node.unit
