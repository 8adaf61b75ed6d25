"""Nodes of a batch system as GLUE 2's execution environments."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.languages.glue2 import UNDEFINED, UNKNOWN_NUMBER, Entity, ExtendedBoolean
from argosy.model import NodeKind, Share

from .about import About
from .activities import share_id

#: GLUE 2's names for processors (Platform_t), by what ``uname -m`` says.
PLATFORMS = {
    "x86_64": "amd64",
    "i686": "i386",
    "i586": "i386",
    "ppc64": "powerpc",
    "ppc64le": "powerpc",
    "ia64": "itanium",
    "sparc64": "sparc",
}

#: GLUE 2's names for operating systems (OSFamily_t), by what ``uname -s`` says.
FAMILIES = {"darwin": "macosx", "sunos": "solaris"}

#: GLUE 2's names for networks (NetworkInfo_t), by the words that sites use for features of their nodes.
NETWORKS = {
    **dict.fromkeys(("ib", "infiniband", "qdr", "fdr", "edr", "hdr", "ndr"), "infiniband"),
    **dict.fromkeys(("opa", "omnipath", "omni-path"), "omnipath"),
    **dict.fromkeys(("ethernet", "gige", "1gbe"), "gigabitethernet"),
    "myrinet": "myrinet",
    "slingshot": "slingshot",
}


def megabytes(size: int | None) -> int | None:
    """Bytes as MB."""
    return None if size is None else size // 1_000_000


def execution_environment(
    id: str, resource: str, kind: NodeKind, shares: Sequence[Share], manager: str, about: About, when: str
) -> Entity:
    """Nodes that are alike, and the shares that have such."""
    machine, system = kind.architecture, kind.system
    labels = {label for share in shares for label in share.labels}
    physical = None
    if kind.cores is not None and kind.threads:
        physical = kind.cores // kind.threads
    return Entity(
        "ExecutionEnvironment",
        id,
        {
            "Platform": UNDEFINED if machine is None else PLATFORMS.get(machine, machine),
            "TotalInstances": kind.count or None,
            "UnavailableInstances": None if kind.up is None else max(0, kind.count - kind.up),
            "PhysicalCPUs": kind.sockets,
            "LogicalCPUs": kind.cores,
            "CPUMultiplicity": _multiplicity(kind.sockets, physical),
            "CPUVendor": kind.cpu_vendor,
            "CPUModel": kind.cpu_model,
            "CPUClockSpeed": kind.clock,
            "MainMemorySize": megabytes(kind.memory) or UNKNOWN_NUMBER,
            "VirtualMemorySize": megabytes(kind.virtual_memory),
            "OSFamily": UNDEFINED if system is None else FAMILIES.get(system, system),
            "OSVersion": kind.release,
            "ConnectivityIn": ExtendedBoolean.UNDEFINED,
            "ConnectivityOut": ExtendedBoolean.UNDEFINED,
            "NetworkInfo": networks((*kind.features, *sorted(labels))),
        },
        {
            "ManagerID": [manager],
            "ShareID": [share_id(about, resource, one.name) for one in shares],
        },
        name=f"nodes of {', '.join(one.name or resource for one in shares)}",
        created=when,
        other_info=[f"features={','.join(kind.features)}"] if kind.features else [],
        extensions={"GPUs": str(kind.gpus)} if kind.gpus else {},
    )


def _multiplicity(sockets: int | None, cores: int | None) -> str | None:
    if sockets is None or cores is None:
        return None
    return f"{'multi' if sockets > 1 else 'single'}cpu-{'multi' if cores > sockets else 'single'}core"


def networks(words: Sequence[str]) -> list[str]:
    """The networks that features or labels name."""
    return list(dict.fromkeys(NETWORKS[word.lower()] for word in words if word.lower() in NETWORKS))
