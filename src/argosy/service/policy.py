"""The service's times and limits, in seconds where nothing else is said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """What the owner of the service decides."""

    retention: float = 7 * 86_400
    """How long a finished activity is kept before it is purged by itself; at least a day."""
    usage_retention: float = 0.0
    """How long the record of what a job has used is kept; 0 is for good."""
    key_lifetime: float = 7 * 86_400
    """How long a repeat of a client's submission id answers with the first activity."""
    input_wait: float = 7 * 86_400
    """How long an activity waits for its input files before it is failed."""
    give_up_after: float = 7 * 86_400
    """How long a submission is tried while the batch system is away before the activity is failed. A cancellation that
    has no effect is repeated for so long."""
    control_patience: float = 3600.0
    """How long a hold, release, suspension or resumption is tried, and looked for, before it counts as refused."""
    space_wait: float = 86_400
    """How long staging is tried again while a disk, or a quota at the other side, is full."""
    session_quota: int = 0
    """The most bytes that may be brought into one session directory; 0: no limit."""
    sessions_quota: int = 0
    """The most bytes in all session directories of one user; 0: no limit."""
    quota_look: float = 300.0
    """Between looks at how much there is, where there are quotas."""
    retry_first: float = 2.0
    """The wait before the second try of what failed for an outside fault; it doubles up to `retry_most`."""
    retry_most: float = 300.0
    worker_ttl: float = 30.0
    """How long a worker that says nothing is taken for alive."""
    housekeeping: float = 30.0
    """Between looks at what has expired and who has died."""
    shares_refresh: float = 60.0
    """Between looks at the queues."""
    match_again: float = 10.0
    """The same while an activity waits for a share that takes it."""
    sweep_limit: int = 1_000_000
    """The most jobs in a sweep."""
    sweep_window: int = 1000
    """How many jobs of a sweep are unfinished at a time, where its owner does not say."""
    sweep_window_limit: int = 10_000
    """The most that its owner may say."""

    def __post_init__(self) -> None:
        if self.retention < 86_400:
            raise ValueError("retention must be at least 86400 seconds: a job's status stays available for 24 hours")
