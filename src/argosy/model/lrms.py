"""What a batch system, or this machine's own process table, says about a job.

The same words serve every batch system: `Phase` says where the job is, `Outcome` how it ended. What the system itself
calls it is kept beside them, for people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .nodes import NodeKind


class Phase(StrEnum):
    """Where a job is in its batch system."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    SUSPENDED = "suspended"
    ENDING = "ending"
    """It no longer runs, but its result is not yet told (Slurm's COMPLETING)."""
    ENDED = "ended"
    OTHER = "other"
    """The batch system has a word for it that means none of these."""


class Outcome(StrEnum):
    """How a job ended."""

    EXITED = "exited"
    """By itself; the exit code tells the rest. A signal of its own making counts as 128 + its number."""
    NOT_STAGED_OUT = "not-staged-out"
    """By itself and with success, but what it made could not be brought to where it was wanted."""
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    NODE_FAILURE = "node-failure"
    PREEMPTED = "preempted"
    NOT_STARTED = "not-started"
    """The batch system could not start it (no such directory, prolog failed, deadline passed, ...)."""
    DUPLICATE = "duplicate"
    """A second copy that found the run claimed and did nothing."""
    LOST = "lost"
    """Nobody knows any more: gone from the queue, no record, and past the time allowed for one to appear."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job used: CPU and wall time in seconds, memory in bytes; None where nobody measured."""

    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    max_rss: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at the batch system showed of one job. Times are seconds since the epoch.

    `word` is the system's own name of the state and `reason` what it adds; `exit_code` is None where it cannot be
    trusted or is not known; `tag` is what Argosy marked the job with; `run` counts the system's own requeues.
    """

    native_id: str
    phase: Phase
    word: str
    outcome: Outcome | None = None
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    tag: str | None = None
    name: str | None = None
    queue: str | None = None
    hosts: tuple[str, ...] = ()
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    start_estimate: float | None = None
    usage: Usage | None = None
    run: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one bulk query showed.

    A job that is not in `jobs` is not thereby ended: it is unknown to this source. `unreadable` holds lines that
    could not be understood, each with the id it is about where that much could be read.
    """

    jobs: dict[str, Observation]
    unreadable: tuple[tuple[str | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """One queue or partition as its batch system publishes it now; None means "no limit" or "not told".

    `name` is empty where the resource has no queues, as this machine has none.

    `max_wall`, `default_wall` and `expected_wait` (until a job starts) are seconds, `memory_per_node` bytes. `nodes_up`
    are those that work now. `max_nodes` and `max_cores` are of one job; `cores`, `free_cores`, `jobs_running` and
    `jobs_waiting` of all. `architectures` and `operating_systems` are those of its nodes in the words of ``uname``,
    lower case, empty where not told. `features` are the batch system's, `labels` the administrator's own. `restricted`:
    the batch system says that not everybody may use it.
    """

    name: str
    available: bool
    default: bool = False
    why_not: str | None = None
    nodes: int | None = None
    cores: int | None = None
    cores_per_node: int | None = None
    free_cores: int | None = None
    memory_per_node: int | None = None
    gpus_per_node: int = 0
    max_nodes: int | None = None
    max_wall: int | None = None
    default_wall: int | None = None
    features: tuple[str, ...] = field(default=())
    nodes_up: int | None = None
    max_cores: int | None = None
    jobs_running: int | None = None
    jobs_waiting: int | None = None
    expected_wait: float | None = None
    architectures: tuple[str, ...] = ()
    operating_systems: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    restricted: bool = False
    kinds: tuple[NodeKind, ...] = ()
    """The kinds of nodes behind it, where the batch system tells of single nodes."""
