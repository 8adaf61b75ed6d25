"""Resources and their queues as GLUE 2's managers, shares and execution environments."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

from argosy.languages.glue2 import UNDEFINED, UNKNOWN_NUMBER, Entity, ExtendedBoolean
from argosy.model import ActivityState, Share
from argosy.service.resources import Resource

from .about import About
from .activities import share_id

#: GLUE 2's names for batch systems (ComputingManagerType_t), where they are other than ours.
PRODUCTS = {"local": "fork", "slurmrestd": "slurm", "sge": "gridengine", "htcondor": "condor"}

#: GLUE 2's names for processors (Platform_t), by what ``uname -m`` says.
PLATFORMS = {
    "x86_64": "amd64",
    "i686": "i386",
    "i586": "i386",
    "ppc64": "powerpc",
    "ppc64le": "powerpc",
    "ia64": "itanium",
}

_S = ActivityState
#: How many activities are in each state, by resource.
Tally = Mapping[str | None, Mapping[ActivityState, int]]

_WAITING = (_S.SUBMITTED, _S.QUEUED, _S.LRMS_HOLD, _S.LRMS_OTHER)
_STAGING = (_S.STAGING_IN, _S.STAGED_IN, _S.LRMS_FINISHED, _S.STAGING_OUT, _S.STAGED_OUT)


def jobs(counts: Mapping[ActivityState, int]) -> dict[str, int]:
    """GLUE 2's numbers of jobs, of those that have not ended."""

    def of(*states: ActivityState) -> int:
        return sum(counts.get(state, 0) for state in states)

    return {
        "TotalJobs": sum(count for state, count in counts.items() if not state.final),
        "RunningJobs": of(_S.LRMS_RUNNING),
        "WaitingJobs": of(*_WAITING),
        "StagingJobs": of(*_STAGING),
        "SuspendedJobs": of(_S.SUSPENDED),
        "PreLRMSWaitingJobs": of(_S.PENDING, _S.HELD, _S.FORWARDED),
    }


def of_resource(resource: Resource, about: About, service: str, endpoints: Sequence[str], when: str) -> list[Entity]:
    """The manager, the shares, and the kinds of nodes behind them."""
    manager_id = about.urn("ComputingManager", resource.name)
    known = list(resource.shares)
    kinds: dict[tuple[object, ...], list[Share]] = {}
    # A manager has nodes, be they unknown.
    for share in known or [Share(name="", available=False)]:
        kinds.setdefault(_kind(share), []).append(share)
    nodes = []
    nodes_of: dict[str, list[str]] = {}
    for number, shares in enumerate(kinds.values(), 1):
        id = about.urn("ExecutionEnvironment", resource.name, str(number))
        nodes.append(_environment(id, resource, shares, manager_id, about, when))
        for share in shares:
            nodes_of[share.name] = [id]
    manager = Entity(
        "ComputingManager",
        manager_id,
        {
            "ProductName": PRODUCTS.get(resource.driver.name, resource.driver.name),
            "BulkSubmission": ExtendedBoolean.TRUE,
            "TotalSlots": _slots(known),
            "Homogeneous": ExtendedBoolean.TRUE if len(kinds) == 1 else ExtendedBoolean.FALSE,
            "WorkingAreaShared": ExtendedBoolean.TRUE,
        },
        {"ServiceID": [service], "ResourceID": [node.id for node in nodes]},
        name=resource.name,
        created=when,
        other_info=[] if resource.why_unknown is None else [f"not seen now: {resource.why_unknown}"],
    )
    shares_told = [_share(resource, share, about, service, endpoints, nodes_of[share.name], when) for share in known]
    return [manager, *shares_told, *nodes]


def _slots(shares: Sequence[Share]) -> int | None:
    # Queues may share nodes: the largest of them is the least that there is.
    return max((share.cores for share in shares if share.cores is not None), default=None)


def _kind(share: Share) -> tuple[object, ...]:
    """What tells nodes of one kind from others, as far as shares tell of nodes."""
    return (
        share.cores_per_node,
        share.memory_per_node,
        share.gpus_per_node,
        share.features,
        share.nodes,
    )


def _megabytes(size: int | None) -> int | None:
    return None if size is None else size // 1_000_000


def _environment(id: str, resource: Resource, shares: Sequence[Share], manager: str, about: About, when: str) -> Entity:
    share = shares[0]
    local = resource.driver.name == "local"
    machine = platform.machine().lower() if local else None
    return Entity(
        "ExecutionEnvironment",
        id,
        {
            "Platform": UNDEFINED if machine is None else PLATFORMS.get(machine, machine),
            "TotalInstances": share.nodes,
            "LogicalCPUs": share.cores_per_node,
            "MainMemorySize": _megabytes(share.memory_per_node) or UNKNOWN_NUMBER,
            "OSFamily": platform.system().lower() if local else UNDEFINED,
            "ConnectivityIn": ExtendedBoolean.UNDEFINED,
            "ConnectivityOut": ExtendedBoolean.UNDEFINED,
        },
        {
            "ManagerID": [manager],
            "ShareID": [share_id(about, resource.name, one.name) for one in shares],
        },
        name=f"nodes of {', '.join(one.name or resource.name for one in shares)}",
        created=when,
        other_info=[f"features={','.join(share.features)}"] if share.features else [],
        extensions={"GPUs": str(share.gpus_per_node)} if share.gpus_per_node else {},
    )


def _share(
    resource: Resource,
    share: Share,
    about: About,
    service: str,
    endpoints: Sequence[str],
    nodes: list[str],
    when: str,
) -> Entity:
    used = None if share.cores is None or share.free_cores is None else max(0, share.cores - share.free_cores)
    most = share.cores
    if share.max_nodes is not None and share.cores_per_node is not None:
        most = min(value for value in (most, share.max_nodes * share.cores_per_node) if value is not None)
    return Entity(
        "ComputingShare",
        share_id(about, resource.name, share.name),
        {
            "Description": share.why_not,
            "MappingQueue": share.name or None,
            "MaxWallTime": share.max_wall,
            "DefaultWallTime": share.default_wall,
            "MaxSlotsPerJob": most,
            "MaxMainMemory": _megabytes(share.memory_per_node),
            "ServingState": "production" if share.available else "closed",
            "FreeSlots": share.free_cores,
            "UsedSlots": used,
            "Tag": list(share.features),
        },
        {"EndpointID": list(endpoints), "ResourceID": nodes, "ServiceID": [service]},
        name=f"{resource.name}/{share.name}" if share.name else resource.name,
        created=when,
        other_info=["default"] if share.default else [],
    )
