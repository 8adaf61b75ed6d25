"""What the service offers to endpoints about sweeps. A sweep of somebody else answers as one that does not exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from argosy.languages.sweeps import Options
from argosy.store import Sweep, SweepDocument, SweepEvent, SweepQuery

from ..caller import Caller

#: Ids of sweeps begin with this, so that nobody takes one for an activity's.
PREFIX = "sweep-"


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A document that is a sweep or an array, in any language. What `options` says comes before what it says itself.

    `key` is the client's own submission id: a repeat answers with the first sweep.
    """

    document: SweepDocument
    options: Options = field(default_factory=Options)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class SweepCreated:
    """The record, whether an earlier request had made it, and what of its document has no effect."""

    sweep: Sweep
    existed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """The record, and how many of its activities are in each state that is not final."""

    sweep: Sweep
    states: Mapping[str, int]


class SweepOperations(ABC):
    """The operations on sweeps."""

    @abstractmethod
    async def create_sweep(self, caller: Caller, request: SweepRequest) -> SweepCreated:
        """Record a sweep and begin with its activities. The document is read, its first jobs are made and each value is
        looked at before; what is wrong is refused with its element and recorded nowhere."""

    @abstractmethod
    async def sweep(self, caller: Caller, id: str, *, wait: float = 0.0) -> SweepStatus:
        """The record as it is now; with `wait` once it is final, or after so many seconds."""

    @abstractmethod
    async def sweep_page(self, caller: Caller, query: SweepQuery) -> tuple[list[Sweep], str | None]:
        """A page of the caller's sweeps, newest first, and the cursor of the next. `query.owner` is ignored."""

    @abstractmethod
    async def sweep_document(self, caller: Caller, id: str) -> SweepDocument:
        """What was asked for."""

    @abstractmethod
    async def sweep_events(self, caller: Caller, id: str, *, after: int = 0, limit: int = 1000) -> list[SweepEvent]:
        """The history of a sweep itself; its activities have their own."""

    @abstractmethod
    def stream_sweep(self, caller: Caller, id: str, *, after: int = 0) -> AsyncIterator[Sequence[SweepEvent]]:
        """The same as it happens, those after `after` first, until the sweep is over. Raises NotFound."""

    @abstractmethod
    async def hold_sweep(self, caller: Caller, id: str) -> Sweep:
        """Make no more activities of it; those that are there go on. One that is held stays so."""

    @abstractmethod
    async def release_sweep(self, caller: Caller, id: str) -> Sweep:
        """Go on making activities of one that is held. One that runs stays so."""

    @abstractmethod
    async def terminate_sweep(self, caller: Caller, id: str) -> Sweep:
        """Make no more activities of it, begin to end those that are there, and answer at once. A sweep that has ended,
        or is ending, stays as it is."""

    @abstractmethod
    async def purge_sweep(self, caller: Caller, id: str, *, terminate: bool = False, wait: float = 60.0) -> bool:
        """Remove a sweep that has ended with all its activities; with `terminate`, end it first. True once all is gone;
        after `wait` seconds False, and it goes on by itself."""
