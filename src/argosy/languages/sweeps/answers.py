"""The documents about sweeps that the native REST interface answers with."""

from __future__ import annotations

from msgspec import Struct


class SweepDocument(Struct, omit_defaults=True, kw_only=True):
    """A sweep as it is now."""

    id: str
    state: str
    """``pending:held``, ``running``, ``running:terminating``, ``finished``, ``failed`` or ``terminated``."""
    final: bool = False
    owner: str
    created: str
    changed: str
    version: int
    total: int
    """How many jobs it has."""
    made: int = 0
    """How many activities have been made of them."""
    ended: int = 0
    """How many of those have ended."""
    progress: float = 0.0
    """How much of it is over, from 0 to 1."""
    counts: dict[str, int] = {}
    """Activities by their state, as it is now or, of purged ones, was last; ``not-made`` are the jobs to come."""
    failures: int = 0
    """Jobs that failed, that ended with another exit code than 0, and that could not be made."""
    nonzero: int = 0
    """Of the finished ones, those with another exit code than 0, or ended by a signal."""
    refused: int = 0
    """Jobs that could not be made: see the events."""
    name: str | None = None
    window: int
    stop_after_failures: int | None = None
    share: str | None = None
    """Where its jobs go, where that was said beside its document."""
    reason: str | None = None
    ended_by: str | None = None
    """Who asked for it to be ended."""
    ended_at: str | None = None
    expires: str | None = None
    purging: bool = False
    """It is being removed, with all its activities."""
    notes: list[str] = []
    """In the answer to a creation: what of its document has no effect, or was taken otherwise than written."""
    links: dict[str, str] = {}
    """``self``, ``events``, ``description``, ``activities``, and ``failed``: those of them that failed."""


class SweepPage(Struct, kw_only=True):
    """A page of sweeps, newest first; pass `next` as ``cursor`` for the following one."""

    items: list[SweepDocument]
    next: str | None = None


class SweepEventDocument(Struct, omit_defaults=True, kw_only=True):
    """One thing that happened to a sweep itself."""

    seq: int
    sweep: str
    time: str
    kind: str
    """``created``, ``state``, ``note``, ``waiting`` (no more jobs are made for now), or ``refused``: a job that could
    not be made."""
    state: str
    message: str | None = None
    by: str | None = None
    index: int | None = None
    """The job that it is about, from 0."""


class SweepEventPage(Struct, kw_only=True):
    """Events in order; pass the last one's `seq` as ``after`` for the following ones."""

    items: list[SweepEventDocument]
