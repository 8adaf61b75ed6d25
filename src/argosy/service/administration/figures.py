"""What administrators are shown of a service."""

from __future__ import annotations

from dataclasses import dataclass, field

from argosy.service.matching.resources import LastError
from argosy.store import StoreFigures

from .admission import Drain


@dataclass(frozen=True, slots=True)
class ResourceFigures:
    """One resource: whether it can be used, what of it has not ended, and what went wrong last."""

    resource: str
    system: str
    opened: bool
    why_unknown: str | None
    unfinished: dict[str, int]
    last_error: LastError | None


@dataclass(frozen=True, slots=True)
class Work:
    """What is being done at this moment: changes that wait to be recorded and that are, activities in the hands of the
    performer by what it does, and those to be tried again."""

    waiting: int
    recording: int
    performing: dict[str, int] = field(default_factory=dict)
    trying_again: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps the service from its work: which part, its name where there are several, since when (seconds
    since the epoch), and why."""

    part: str
    """``store``, ``sealing`` or ``resource``."""
    since: float
    words: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the service is doing. Times are seconds since the epoch."""

    worker: str
    started: float
    now: float
    drain: Drain | None
    stopping: bool
    resources: list[ResourceFigures]
    unplaced: dict[str, int]
    """The unfinished activities that have no resource yet, by state."""
    work: Work
    store: StoreFigures
    troubles: list[Trouble] = field(default_factory=list)
