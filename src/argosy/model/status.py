"""What is known of a job at one instant (PSI/J, JobStatus)."""

from __future__ import annotations

from time import time as _now
from typing import Any

from .states import JobState


class JobStatus:
    """A state, when it was entered, and what is known about it.

    `time` is in seconds since the epoch (UTC), the batch system's own where it tells one. `exit_code` is that
    of the application, None where it did not exit; `message` says why, in the words of whoever knows;
    `metadata` holds what else is known (`nativeId`, `usage`, `hosts`, ...).
    """

    __slots__ = ("exit_code", "message", "metadata", "state", "time")

    def __init__(
        self,
        state: JobState,
        time: float | None = None,
        message: str | None = None,
        exit_code: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.state = state
        self.time = _now() if time is None else time
        self.message = message
        self.exit_code = exit_code
        self.metadata = metadata

    @property
    def final(self) -> bool:
        """Whether the job can no longer change."""
        return self.state.final

    def __str__(self) -> str:
        parts = [self.state.name, f"time={self.time}"]
        if self.message is not None:
            parts.append(f"message={self.message}")
        if self.exit_code is not None:
            parts.append(f"exit_code={self.exit_code}")
        if self.metadata is not None:
            parts.append(f"meta={self.metadata}")
        return f"JobStatus[{', '.join(parts)}]"

    __repr__ = __str__
