"""One job as the reaper knows it, and its forms on the wire and in the journal. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .child import Prepared

_TAG = re.compile(r"[A-Za-z0-9._-]{1,200}\Z", re.ASCII)


class Job:
    """A job from its submission until it is forgotten. Times are seconds since the epoch."""

    __slots__ = (
        "began",
        "cancelled",
        "changed",
        "claimed",
        "cores",
        "gone",
        "held",
        "message",
        "pid",
        "prepared",
        "result",
        "start_time",
        "start_window",
        "started",
        "submitted",
        "suspended",
        "tag",
    )

    def __init__(self, tag: str, cores: int, submitted: float, prepared: Prepared | None = None) -> None:
        self.tag = tag
        self.cores = cores
        self.submitted = submitted
        self.prepared = prepared
        self.held = False
        self.suspended = False
        self.cancelled = False
        self.changed: float | None = None  # when it was last held, released, suspended or resumed
        self.claimed: float | None = None
        self.pid: int | None = None
        # In clock ticks since boot. Asking the system while the program is being loaded means waiting for it, so what
        # is noted at first is when it was asked for and when that was done.
        self.start_window = (0, 0)
        self.start_time: int | None = None
        self.started: float | None = None
        self.began = 0.0  # the same by time.monotonic, where this reaper started it
        self.gone: int | None = None  # when the leading process was reaped, in clock ticks since boot
        self.message: str | None = None
        self.result: dict[str, Any] | None = None

    @property
    def phase(self) -> str:
        """The word of `argosy.model.Phase`."""
        if self.result is not None:
            return "ended"
        if self.claimed is None:
            return "held" if self.held else "queued"
        return "suspended" if self.suspended else "running"

    def set_result(self, result: dict[str, Any]) -> None:
        """It has ended: ``outcome`` and ``time``, and what else is known of how."""
        self.result = result
        self.prepared = None

    def state(self) -> dict[str, Any]:
        """What a client is told."""
        state: dict[str, Any] = {"tag": self.tag, "phase": self.phase}
        if self.result is not None:
            state |= self.result
        if self.started is not None:
            state["started"] = self.started
        if self.result is None:
            state["time"] = self.changed or self.started or self.claimed or self.submitted
        return state

    def wire(self) -> list[Any]:
        """The form in which it is submitted and journalled, without its base environment."""
        assert self.prepared is not None
        prepared = self.prepared
        inherits = prepared.base is not None
        return [
            self.tag,
            self.cores,
            self.submitted,
            inherits,
            prepared.argv,
            prepared.directory,
            prepared.changes,
            *prepared[4:7],
        ]

    @classmethod
    def from_wire(cls, wire: list[Any], base: Mapping[str, str] | None) -> Job:
        """The job of which this is the wire form. Raises ValueError where it is none."""
        tag, cores, submitted, inherits, argv, directory, changes, stdin, stdout, stderr = wire
        if type(tag) is not str or not _TAG.match(tag) or type(cores) is not int or cores < 1:
            raise ValueError(f"not a job: {wire!r}")
        if not argv or any(type(text) is not str for text in (*argv, *changes, *changes.values())):
            raise ValueError(f"{tag} has an argument or variable that is not a text")
        prepared = Prepared(tuple(argv), directory, base if inherits else None, changes, stdin, stdout, stderr)
        return cls(tag, cores, submitted, prepared)

    def records(self) -> list[tuple[Any, ...]]:
        """The journal records that give this job as it is."""
        records: list[tuple[Any, ...]] = []
        if self.prepared is not None:
            base = None if self.prepared.base is None else dict(self.prepared.base)
            records.append(("submit", base, [self.wire()]))
            if self.held:
                records.append(("hold", self.tag))
        else:
            # A job cancelled in the queue was never claimed, but it must not be started any more than one that was.
            records.append(("claim", self.tag, self.claimed or self.submitted, self.cores))
        if self.pid is not None:
            records.append(("start", self.tag, self.pid, *self.start_window, self.started))
        if self.cancelled:
            records.append(("cancel", self.tag))
        if self.result is not None:
            records.append(("exit", self.tag, self.result))
        return records
