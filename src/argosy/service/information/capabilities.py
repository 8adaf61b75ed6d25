"""What can be asked of the service, apart from descriptions: where files may come from, what can be done to jobs."""

from __future__ import annotations

from dataclasses import dataclass

from argosy.staging import Capability
from argosy.staging.checksums import ALGORITHMS

#: The checksums that files can be held to.
CHECKSUMS = tuple(ALGORITHMS)


@dataclass(frozen=True, slots=True)
class Actions:
    """What a resource's batch system can do to a job that it has, beside running it."""

    resource: str
    system: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What there is."""

    resources: tuple[Actions, ...]
    staging: tuple[Capability, ...]
