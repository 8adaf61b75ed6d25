"""The durable records of sweeps, and the part of the store's contract that keeps them.

A sweep is one record, its document, and the activities made of it so far. Making activities and moving the position
behind them is one transaction, so that a crash neither loses nor doubles one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from argosy.model import Conflict
from argosy.model.sweep import SweepState

from .records import NewActivity


@dataclass(frozen=True, slots=True)
class Sweep:
    """The service's record of one sweep. Times are seconds since the epoch (UTC).

    `version` grows with each change of what is decided; the counts of ended activities grow beside it.
    """

    id: str
    owner: str
    state: SweepState
    version: int
    created: float
    changed: float
    total: int
    """How many jobs it has."""
    next: int = 0
    """The number of the first job that has not been made yet."""
    refused: int = 0
    """Jobs that could not be made: their values gave what is no job."""
    finished: int = 0
    """Activities that have ended by themselves, whatever their exit code."""
    nonzero: int = 0
    """Those of them with another exit code than 0, or ended by a signal."""
    failed: int = 0
    terminated: int = 0
    name: str | None = None
    window: int = 1000
    """The most activities of it that are unfinished at a time."""
    stop_after: int | None = None
    """After so many failures no more are made, and the others are ended."""
    reason: str | None = None
    """Why it is in this state, for people."""
    by: str | None = None
    """Who asked for it to be ended; None where nobody did."""
    purging: bool = False
    """Its owner has asked for it to be removed, with all its activities."""
    final_at: float | None = None
    expires: float | None = None
    worker: str | None = None
    groups: tuple[str, ...] = ()
    """Those that its owner was in when it was asked for."""
    local_account: str | None = None
    """As `Activity.local_account`."""
    share: str | None = None
    """Where its jobs go, where that was said beside its document."""
    proxy: str | None = None
    """The id of the kept one that came with the request, for those of its jobs that need one and name none."""

    @property
    def made(self) -> int:
        """How many activities have been made."""
        return self.next - self.refused

    @property
    def open(self) -> int:
        """How many activities have not ended."""
        return self.made - self.finished - self.failed - self.terminated

    @property
    def failures(self) -> int:
        """What counts as failed: not run to the end, another exit code than 0, or not even a job."""
        return self.failed + self.nonzero + self.refused

    def but(self, **changes: Any) -> Sweep:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class SweepEvent:
    """One thing that happened to a sweep. `kind` is ``created``, ``state``, ``note``, ``refused`` or ``waiting``."""

    sweep: str
    time: float
    kind: str
    state: SweepState
    message: str | None = None
    by: str | None = None
    index: int | None = None
    """The job that it is about."""
    seq: int = 0
    """Given by the store."""


@dataclass(frozen=True, slots=True)
class SweepDocument:
    """What a sweep was asked for with: a text, and how to read it."""

    language: str
    strict: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class NewSweep:
    """What `create_sweep` records in one transaction; `key`, `digest` and `key_expires` as those of `NewActivity`."""

    sweep: Sweep
    document: SweepDocument
    events: tuple[SweepEvent, ...]
    key: str | None = None
    digest: bytes = b""
    key_expires: float = 0.0


@dataclass(frozen=True, slots=True)
class CreatedSweep:
    """The record, and whether it was made now or by an earlier request."""

    sweep: Sweep
    existed: bool = False


@dataclass(frozen=True, slots=True)
class SweepQuery:
    """Which sweeps to list, newest first, those before the id `after`."""

    owner: str | None = None
    states: tuple[SweepState, ...] = ()
    after: str | None = None
    limit: int = 50


class SweepStore(ABC):
    """What the store keeps of sweeps. Activities name theirs in `Activity.sweep`."""

    @abstractmethod
    async def create_sweep(self, new: NewSweep) -> CreatedSweep | Conflict:
        """Record a sweep. Keys as `Store.create` has them, apart from those of activities."""

    @abstractmethod
    async def sweep(self, id: str) -> Sweep | None:
        """The record."""

    @abstractmethod
    async def sweep_document(self, id: str) -> SweepDocument | None:
        """What it was asked for with."""

    @abstractmethod
    async def sweep_page(self, query: SweepQuery) -> tuple[list[Sweep], str | None]:
        """A page of sweeps, newest first, and what to pass as `after` for the next; None at the end."""

    @abstractmethod
    async def sweep_states(self, id: str) -> dict[str, int]:
        """How many of its activities are in each state that is not final."""

    @abstractmethod
    async def expand(
        self, id: str, start: int, stop: int, new: Sequence[NewActivity], refusals: Sequence[SweepEvent]
    ) -> Sweep | Conflict:
        """Record the activities of the jobs from `start` to `stop`, and the refusals of the others among them, and move
        the position there: one transaction. Conflict where the position is not `start`, or it is not running."""

    @abstractmethod
    async def change_sweep(self, sweep: Sweep, events: Sequence[SweepEvent]) -> Sweep | Conflict:
        """Record what was decided on the version that `sweep` has. Position and counts stay as they are recorded.

        Raises ValueError where a state cannot follow."""

    @abstractmethod
    async def sweep_events(self, id: str, *, after: int = 0, limit: int = 1000) -> list[SweepEvent]:
        """Its events in order, those after `seq` `after`."""

    @abstractmethod
    async def take_sweeps(self, worker: str, now: float) -> list[Sweep]:
        """Put sweeps that are unfinished, or being removed, and that no living worker has into this worker's hands."""

    @abstractmethod
    async def expired_sweeps(self, now: float, limit: int) -> list[str]:
        """The final sweeps whose `expires` has passed."""

    @abstractmethod
    async def remove_sweep(self, id: str) -> None:
        """Remove a sweep, its document and its events. Its activities, where there are any left, stay."""
