"""Resources and their queues as GLUE 2's managers, shares and execution environments."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from argosy.languages.glue2 import Entity, ExtendedBoolean
from argosy.model import ActivityState, NodeKind, RuntimeEnvironment, Share
from argosy.service.matching.resources import Resource
from argosy.service.matching.share_config import of_queue

from .about import About
from .activities import share_id
from .nodes import execution_environment, megabytes

#: GLUE 2's names for batch systems (ComputingManagerType_t), where they are other than ours.
PRODUCTS = {"local": "fork", "slurmrestd": "slurm", "sge": "gridengine", "htcondor": "condor"}

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
    behind: dict[NodeKind, list[Share]] = {}
    most: dict[NodeKind, NodeKind] = {}
    # A manager has nodes, be they unknown.
    for share in known or [Share(name="", available=False)]:
        for kind in share.kinds or (_kind(share),):
            nature = replace(kind, count=1, up=None)
            behind.setdefault(nature, []).append(share)
            # Queues may have nodes in common: those of the queue with the most of them are the least that there are.
            most[nature] = max(most.get(nature, kind), kind, key=lambda one: (one.count, one.up or 0))
    nodes = []
    nodes_of: dict[str, list[str]] = {}
    for nature, shares in behind.items():
        kind = most[nature]
        # An id that stays when nodes of other kinds come and go.
        digest = hashlib.sha256(repr(nature).encode()).hexdigest()[:10]
        id = about.urn("ExecutionEnvironment", resource.name, digest)
        nodes.append(execution_environment(id, resource.name, kind, shares, manager_id, about, when))
        for share in shares:
            nodes_of.setdefault(share.name, []).append(id)
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
            "Homogeneous": ExtendedBoolean.TRUE if len(behind) == 1 else ExtendedBoolean.FALSE,
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


def _kind(share: Share) -> NodeKind:
    """The nodes of a share that tells of no single nodes, as if they were all alike."""
    return NodeKind(
        count=share.nodes or 0,
        up=share.nodes_up,
        cores=share.cores_per_node,
        memory=share.memory_per_node,
        gpus=share.gpus_per_node,
        architecture=share.architectures[0] if share.architectures else None,
        system=share.operating_systems[0] if share.operating_systems else None,
        features=share.features,
    )


def _share(
    resource: Resource, share: Share, about: About, service: str, endpoints: Sequence[str], nodes: list[str], when: str
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
            "MaxMainMemory": megabytes(share.memory_per_node),
            "ServingState": "production" if share.available else "closed",
            "TotalJobs": None if None in known else sum(count or 0 for count in known),
            "RunningJobs": share.jobs_running,
            "WaitingJobs": share.jobs_waiting,
            "EstimatedAverageWaitingTime": None if share.expected_wait is None else round(share.expected_wait),
            "FreeSlots": share.free_cores,
            "UsedSlots": used,
            "Tag": list(dict.fromkeys((*share.labels, *share.features))),
        },
        {"EndpointID": list(endpoints), "ResourceID": nodes, "ServiceID": [service]},
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
    nodes_of: Mapping[str, list[str]],
    manager: str,
    about: About,
    when: str,
) -> list[Entity]:
    """The runtime environments of a resource, each with what a user would name to have it."""
    found = []
    for environment in environments:
        places = list(
            dict.fromkeys(
                id for queue, ids in nodes_of.items() if environment.is_on(resource.name, queue) for id in ids
            )
        )
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
