"""What can happen to an activity. `staging_events` has what happens to its files, `wishes` what its owner wishes."""

from __future__ import annotations

from dataclasses import dataclass

from argosy.executors.contract import Report

from .restart import RestartAsked
from .staging_events import StageHappening
from .wishes import WishAnswered, Wished


@dataclass(frozen=True, slots=True)
class Begun:
    """It may begin: it was created, or let go."""

    by: str | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A share takes it: `share` is its name for people, `queue` what the batch system is told. `environments` were
    chosen, the optional ones in `left_out` are not to be had."""

    resource: str
    queue: str | None
    share: str
    environments: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Nothing takes it now; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class InputChecked:
    """The declared input files that are not there yet."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The batch system has accepted the job."""

    native_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The batch system refused the job for good, in these words."""

    words: str


@dataclass(frozen=True, slots=True)
class Away:
    """The batch system could not be reached, in these words; it will be tried again."""

    words: str
    doing: str


@dataclass(frozen=True, slots=True)
class Never:
    """The batch system does not have the job and never had it. `withdrawn`: no copy of it that is still on its way to
    the batch system will run either."""

    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """The batch system, or the job's own record, told something."""

    report: Report


@dataclass(frozen=True, slots=True)
class OutputChecked:
    """The declared output files, not optional, that are not there."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TerminateAsked:
    """Its owner, or somebody who may, wants it ended."""

    by: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """Something that was waited for did not come in time. `withdrawn`: its submission, of which no copy will run."""

    reason: str
    withdrawn: bool = False


Happening = (
    Begun
    | Matched
    | Unmatched
    | InputChecked
    | Accepted
    | Refused
    | Away
    | Never
    | Reported
    | OutputChecked
    | StageHappening
    | TerminateAsked
    | RestartAsked
    | TooLate
    | Wished
    | WishAnswered
)
