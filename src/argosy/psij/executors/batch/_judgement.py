"""What to believe of a job whose script is somebody else's: pure decisions.

Two sources speak: the status command, and the file in which the job's script leaves the exit code. Absence is never an
end: a job that the status command does not show is unknown, until `Grace.lost` seconds have passed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from argosy.model import JobState, JobStatus

#: Exit codes from here on are those of a shell whose child was ended by a signal: somebody may have sent it.
_SIGNALLED = 128


@dataclass(frozen=True, slots=True)
class Grace:
    """How long to wait for what, in seconds."""

    exit_code: float = 3.0
    """For the exit code, once the status command says that the job has ended; for a job that was cancelled or
    attached to show, once it is not shown."""
    word: float = 10.0
    """For the status command's word on a job that was signalled, or that is still shown after its exit."""
    lost: float = 300.0
    """For anything to be known of a job that is not shown."""


@dataclass(slots=True)
class Known:
    """What is known of one job so far. Times are seconds on one clock."""

    attached: bool = False
    shown: bool = False
    cancel_asked: bool = False
    exit_code: int | None = None
    exit_at: float = 0.0
    ended_at: float | None = None
    missing_since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether something more is expected soon."""
        return self.exit_code is not None or self.ended_at is not None or self.missing_since is not None


def on_exit_code(known: Known, code: int, now: float) -> JobStatus | None:
    """The script has left its exit code. None where the status command must be heard first."""
    if known.exit_code is None:
        known.exit_code, known.exit_at = code, now
    return None if code > _SIGNALLED else _exited(code)


def on_shown(known: Known, shown: JobStatus, now: float, grace: Grace) -> JobStatus | None:
    """The status command shows the job."""
    known.shown, known.missing_since = True, None
    if not shown.state.final:
        known.ended_at = None
        if known.exit_code is not None and now - known.exit_at >= grace.word:
            return _exited(known.exit_code)
        return JobStatus(shown.state, shown.time, shown.message, None, shown.metadata)
    if known.ended_at is None:
        known.ended_at = now
    code = known.exit_code
    if code is None and shown.exit_code is None and shown.state is not JobState.CANCELED:
        if now - known.ended_at < grace.exit_code:
            return None
    elif code is None:
        code = shown.exit_code
    state = shown.state
    if state is JobState.COMPLETED and code:
        state = JobState.FAILED
    return JobStatus(state, shown.time, shown.message, code, shown.metadata)


def on_missing(known: Known, now: float, grace: Grace) -> JobStatus | None:
    """The status command has answered and does not show the job."""
    if known.missing_since is None:
        known.missing_since = now
    gone = now - known.missing_since
    if known.exit_code is not None:
        if known.cancel_asked and known.exit_code > _SIGNALLED:
            return JobStatus(JobState.CANCELED, message="cancelled", exit_code=known.exit_code)
        return _exited(known.exit_code)
    if known.cancel_asked and gone >= grace.exit_code:
        return JobStatus(JobState.CANCELED, message="cancelled; the batch system no longer knows it")
    if known.attached and not known.shown and gone >= grace.exit_code:
        return JobStatus(JobState.FAILED, message="the batch system does not know it, so it cannot be attached")
    if gone >= grace.lost:
        return JobStatus(
            JobState.FAILED,
            message=f"lost: the batch system has not known it for {grace.lost:g} s, and it left no exit code",
        )
    return None


def _exited(code: int) -> JobStatus:
    return JobStatus(JobState.FAILED if code else JobState.COMPLETED, exit_code=code)


Parse = Callable[[int, str], Mapping[str, JobStatus]]


def parse_apart(parse: Parse, out: str, ids: Collection[str]) -> tuple[dict[str, JobStatus], list[str]]:
    """What `parse` makes of a status command's output, odd lines set apart instead of failing all jobs.

    Raises what `parse` raises where no part of the output can be read. The first line is taken for a heading
    if the others can be read with it only.
    """
    try:
        return dict(parse(0, out)), []
    except Exception:
        lines = out.splitlines(keepends=True)
        if len(lines) < 2:
            raise
        wanted = set(ids)
        for heading, rest in ((lines[0], lines[1:]), ("", lines)):
            found: dict[str, JobStatus] = {}
            odd: list[str] = []
            _apart(parse, heading, rest, wanted, found, odd)
            if len(odd) < len(rest):
                return found, odd
        raise


def _apart(
    parse: Parse, heading: str, lines: list[str], ids: set[str], found: dict[str, JobStatus], odd: list[str]
) -> None:
    try:
        read = parse(0, heading + "".join(lines))
    except Exception:
        if len(lines) == 1:
            odd.append(lines[0])
            return
        half = len(lines) // 2
        _apart(parse, heading, lines[:half], ids, found, odd)
        _apart(parse, heading, lines[half:], ids, found, odd)
        return
    words = mentioned(heading + "".join(lines), ids)
    found.update({native_id: status for native_id, status in read.items() if native_id in words})


def mentioned(text: str, ids: set[str]) -> set[str]:
    """The ids that stand in a text as words."""
    return set(re.split(r"[\s,;|:\"'=]+", text)) & ids
