"""Resources and their queues as GLUE 2's managers, shares and execution environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argosy.languages.glue2 import UNDEFINED, UNKNOWN_NUMBER, Entity, ExtendedBoolean
from argosy.model import ActivityState, RuntimeEnvironment, Share
from argosy.service.resources import Resource
from argosy.service.share_config import of_queue

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


def of_resource(
    resource: Resource,
    about: About,
    service: str,
    endpoints: Sequence[str],
    when: str,
    environments: Sequence[RuntimeEnvironment] = (),
    counts: Mapping[ActivityState, int] | None = None,
) -> list[Entity]:
    """The manager, the shares, the kinds of nodes behind them, the software there is, and who may use the shares.

    `counts` are the activities of this service that have not ended there.
    """
    manager_id = about.urn("ComputingManager", resource.name)
    known = list(resource.shares)
    kinds: dict[tuple[object, ...], list[Share]] = {}
    # A manager has nodes, be they unknown.
    for share in known or [Share(name="", available=False)]:
        kinds.setdefault(_kind(share), []).append(share)
    nodes = []
    nodes_of: dict[str, str] = {}
    for number, shares in enumerate(kinds.values(), 1):
        id = about.urn("ExecutionEnvironment", resource.name, str(number))
        nodes.append(_nodes(id, resource, shares, manager_id, about, when))
        nodes_of |= {share.name: id for share in shares}
    software = _software(resource, environments, nodes_of, manager_id, about, when)
    for entity in software:
        if entity.kind == "ApplicationEnvironment":
            for node in nodes:
                if node.id in entity.associations["ResourceID"]:
                    node.associations.setdefault("ApplicationEnvironmentID", []).append(entity.id)
    grid = jobs(counts or {})
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
        {
            "ServiceID": [service],
            "ResourceID": [node.id for node in nodes],
            "ApplicationEnvironmentID": [one.id for one in software if one.kind == "ApplicationEnvironment"],
        },
        name=resource.name,
        created=when,
        other_info=[
            f"jobs of this service: {grid['RunningJobs']} running, {grid['WaitingJobs']} waiting",
            *([] if resource.why_unknown is None else [f"not seen now: {resource.why_unknown}"]),
        ],
    )
    told = []
    policies = []
    for share in known:
        entity = _share(resource, share, about, service, endpoints, nodes_of[share.name], when)
        policy = _policy(resource, share, entity.id, about)
        if policy is not None:
            entity.associations["PolicyID"] = [policy.id]
            policies.append(policy)
        told.append(entity)
    return [manager, *told, *nodes, *software, *policies]


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
        share.architectures,
        share.operating_systems,
    )


def _megabytes(size: int | None) -> int | None:
    return None if size is None else size // 1_000_000


def _nodes(id: str, resource: Resource, shares: Sequence[Share], manager: str, about: About, when: str) -> Entity:
    share = shares[0]
    machine = share.architectures[0] if share.architectures else None
    down = None if share.nodes is None or share.nodes_up is None else max(0, share.nodes - share.nodes_up)
    return Entity(
        "ExecutionEnvironment",
        id,
        {
            "Platform": UNDEFINED if machine is None else PLATFORMS.get(machine, machine),
            "TotalInstances": share.nodes,
            "UnavailableInstances": down,
            "LogicalCPUs": share.cores_per_node,
            "MainMemorySize": _megabytes(share.memory_per_node) or UNKNOWN_NUMBER,
            "OSFamily": share.operating_systems[0] if share.operating_systems else UNDEFINED,
            "ConnectivityIn": ExtendedBoolean.UNDEFINED,
            "ConnectivityOut": ExtendedBoolean.UNDEFINED,
        },
        {
            "ManagerID": [manager],
            "ShareID": [share_id(about, resource.name, one.name) for one in shares],
        },
        name=f"nodes of {', '.join(one.name or resource.name for one in shares)}",
        created=when,
        other_info=[
            *([f"features={','.join(share.features)}"] if share.features else []),
            *(f"architecture={other}" for other in share.architectures[1:]),
        ],
        extensions={"GPUs": str(share.gpus_per_node)} if share.gpus_per_node else {},
    )


def _share(
    resource: Resource, share: Share, about: About, service: str, endpoints: Sequence[str], nodes: str, when: str
) -> Entity:
    used = None if share.cores is None or share.free_cores is None else max(0, share.cores - share.free_cores)
    most = [share.cores, share.max_cores]
    if share.max_nodes is not None and share.cores_per_node is not None:
        most.append(share.max_nodes * share.cores_per_node)
    known = [share.jobs_running, share.jobs_waiting]
    return Entity(
        "ComputingShare",
        share_id(about, resource.name, share.name),
        {
            "Description": share.why_not,
            "MappingQueue": share.name or None,
            "MaxWallTime": share.max_wall,
            "DefaultWallTime": share.default_wall,
            "MaxSlotsPerJob": min((count for count in most if count is not None), default=None),
            "MaxMainMemory": _megabytes(share.memory_per_node),
            "ServingState": "production" if share.available else "closed",
            "TotalJobs": None if None in known else sum(count or 0 for count in known),
            "RunningJobs": share.jobs_running,
            "WaitingJobs": share.jobs_waiting,
            "EstimatedAverageWaitingTime": None if share.expected_wait is None else round(share.expected_wait),
            "FreeSlots": share.free_cores,
            "UsedSlots": used,
            "Tag": list(dict.fromkeys((*share.labels, *share.features))),
        },
        {"EndpointID": list(endpoints), "ResourceID": [nodes], "ServiceID": [service]},
        name=f"{resource.name}/{share.name}" if share.name else resource.name,
        created=when,
        other_info=["default"] if share.default else [],
    )


def _policy(resource: Resource, share: Share, share_id: str, about: About) -> Entity | None:
    """Who may use a share that not everybody may. Groups are named; users are nobody else's business."""
    allow = of_queue(resource.config, share.name).allow
    if allow is None and not share.restricted:
        return None
    rules = [] if allow is None else [f"group:{name}" for name in allow.groups]
    if allow is not None and allow.users:
        rules.append("argosy:named-users")
    if share.restricted and not rules:
        rules.append("argosy:as-the-batch-system-says")
    return Entity(
        "MappingPolicy",
        about.urn("MappingPolicy", resource.name, *([share.name] if share.name else [])),
        {"Scheme": "basic", "Rule": rules or ["argosy:nobody"]},
        {"ShareID": [share_id], "DomainID": [about.urn("UserDomain")]},
    )


def _software(
    resource: Resource,
    environments: Sequence[RuntimeEnvironment],
    nodes_of: Mapping[str, str],
    manager: str,
    about: About,
    when: str,
) -> list[Entity]:
    """The runtime environments of a resource, each with what a user would name to have it."""
    found = []
    for environment in environments:
        places = list(dict.fromkeys(id for queue, id in nodes_of.items() if environment.is_on(resource.name, queue)))
        if not places:
            continue
        id = about.urn("ApplicationEnvironment", resource.name, environment.name, environment.version)
        handles = [
            Entity(
                "ApplicationHandle",
                about.urn("ApplicationHandle", resource.name, environment.name, environment.version, str(number)),
                {"Type": kind, "Value": value},
                {"ApplicationEnvironmentID": [id]},
            )
            for number, (kind, value) in enumerate(_handles(environment), 1)
        ]
        found.append(
            Entity(
                "ApplicationEnvironment",
                id,
                {
                    "AppName": environment.name,
                    "AppVersion": environment.version,
                    "State": "installednotverified",
                    "Description": environment.description or None,
                },
                {
                    "ResourceID": places,
                    "ManagerID": [manager],
                    "ApplicationHandleID": [handle.id for handle in handles],
                },
                name=environment.id,
                created=when,
                other_info=[f"parameter={one.name}" for one in environment.parameters],
            )
        )
        found += handles
    return found


def _handles(environment: RuntimeEnvironment) -> list[tuple[str, str]]:
    """How it is had: as an environment of this service, and by the modules behind it. Paths are the site's affair."""
    return [("argosy:environment", environment.id), *(("module", name) for name in environment.modules)]
