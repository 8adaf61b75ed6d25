"""What a job needs to run (PSI/J, ResourceSpec and ResourceSpecV1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .errors import InvalidJobException


class ResourceSpec(ABC):
    """Base of the resource specifications."""

    @property
    @abstractmethod
    def version(self) -> int:
        """The version of the specification, 1 for ResourceSpecV1."""

    @staticmethod
    def get_instance(version: int) -> ResourceSpec:
        """An empty specification of that version."""
        if version == 1:
            return ResourceSpecV1()
        raise InvalidJobException(f"there is no resource specification of version {version}; use 1")


class ResourceSpecV1(ResourceSpec):
    """Homogeneous resources. None means "not asked for": the batch system chooses.

    Counts are integers from 1; `memory` is bytes for the whole job. Where node, process and
    per-node counts are all given they must agree.
    """

    __slots__ = (
        "cpu_cores_per_process",
        "exclusive_node_use",
        "gpu_cores_per_process",
        "memory",
        "node_count",
        "process_count",
        "processes_per_node",
    )

    def __init__(
        self,
        node_count: int | None = None,
        process_count: int | None = None,
        processes_per_node: int | None = None,
        cpu_cores_per_process: int | None = None,
        gpu_cores_per_process: int | None = None,
        exclusive_node_use: bool = False,
        memory: int | None = None,
    ) -> None:
        self.node_count = node_count
        self.process_count = process_count
        self.processes_per_node = processes_per_node
        self.cpu_cores_per_process = cpu_cores_per_process
        self.gpu_cores_per_process = gpu_cores_per_process
        self.exclusive_node_use = exclusive_node_use
        self.memory = memory
        self.check()

    def check(self, element: str = "resources") -> None:
        """Raise InvalidJobException naming the field that is wrong."""
        for name, value in (
            ("node_count", self.node_count),
            ("process_count", self.process_count),
            ("processes_per_node", self.processes_per_node),
            ("cpu_cores_per_process", self.cpu_cores_per_process),
            ("memory", self.memory),
        ):
            if value is not None and (type(value) is not int or value < 1):
                raise InvalidJobException(
                    f"{name} must be a whole number from 1, not {value!r}", element=f"{element}.{name}"
                )
        gpus = self.gpu_cores_per_process
        if gpus is not None and (type(gpus) is not int or gpus < 0):
            raise InvalidJobException(
                f"gpu_cores_per_process must be a whole number from 0, not {gpus!r}",
                element=f"{element}.gpu_cores_per_process",
            )
        if type(self.exclusive_node_use) is not bool:
            raise InvalidJobException(
                f"exclusive_node_use must be true or false, not {self.exclusive_node_use!r}",
                element=f"{element}.exclusive_node_use",
            )
        nodes, processes, per_node = self.node_count, self.process_count, self.processes_per_node
        if nodes and processes and per_node and processes != nodes * per_node:
            raise InvalidJobException(
                f"process_count is {processes}, but node_count x processes_per_node is "
                f"{nodes} x {per_node} = {nodes * per_node}; give two of the three",
                element=f"{element}.process_count",
            )
        if nodes and processes and not per_node and processes % nodes:
            raise InvalidJobException(
                f"process_count {processes} cannot be spread evenly over node_count {nodes}",
                element=f"{element}.process_count",
            )

    @property
    def version(self) -> int:
        return 1

    @property
    def computed_node_count(self) -> int:
        """The nodes asked for, computed from the process counts where not given."""
        if self.node_count:
            return self.node_count
        if self.process_count and self.processes_per_node:
            return -(-self.process_count // self.processes_per_node)
        return 1

    @property
    def computed_process_count(self) -> int:
        """The processes to start in all."""
        if self.process_count:
            return self.process_count
        return self.computed_node_count * (self.processes_per_node or 1)

    @property
    def computed_processes_per_node(self) -> int:
        """The processes to start on each node (the most on any, where the last node has fewer)."""
        if self.processes_per_node:
            return self.processes_per_node
        return -(-self.computed_process_count // self.computed_node_count)

    @property
    def computed_core_count(self) -> int:
        """CPU cores in all."""
        return self.computed_process_count * (self.cpu_cores_per_process or 1)

    @property
    def memory_kb(self) -> int | None:
        """`memory` in units of 1024 bytes, rounded up."""
        return None if self.memory is None else -(-self.memory // 1024)

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceSpecV1) and self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]  # mutable, as PSI/J's is

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__ if getattr(self, name))
        return f"ResourceSpecV1({given})"
