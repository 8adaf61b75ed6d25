"""The documents about usage; as `documents`."""

from __future__ import annotations

from msgspec import Struct


class UsageSumDocument(Struct, omit_defaults=True, kw_only=True):
    """What some jobs have used together; `user`, `share`, ... where it was asked for by them."""

    user: str | None = None
    share: str | None = None
    resource: str | None = None
    account: str | None = None
    day: str | None = None
    """The UTC day of the end, e.g. ``2026-05-01``."""
    jobs: int
    finished: int = 0
    failed: int = 0
    terminated: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    core_seconds: float = 0.0
    """The cores asked for times the wall time."""
    max_rss: int | None = None
    """The most of any, in bytes."""
    unmeasured: int = 0
    """Those that have run, and whose CPU time nobody measured."""


class UsageSummary(Struct, omit_defaults=True, kw_only=True):
    """What jobs have used that ended within a period."""

    by: list[str]
    since: str | None = None
    until: str | None = None
    items: list[UsageSumDocument]


class UsageRecordDocument(Struct, omit_defaults=True, kw_only=True):
    """What one job of an activity has used. An activity that was restarted may have had several: `run` counts them."""

    activity: str
    run: int = 0
    user: str
    account: str | None = None
    name: str | None = None
    share: str | None = None
    native_id: str | None = None
    state: str
    exit_code: int | None = None
    created: str
    submitted: str | None = None
    started: str | None = None
    ended: str | None = None
    final: str
    """When the activity reached its final state; periods are about it."""
    nodes: int | None = None
    processes: int | None = None
    cores: int | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    core_seconds: float | None = None
    max_rss: int | None = None
    hosts: list[str] = []


class UsagePage(Struct, kw_only=True):
    """Usage by the time of the end; pass `next` as ``cursor`` for the following ones."""

    items: list[UsageRecordDocument]
    next: str | None = None
