"""The contract for a driver: many jobs on one batch system, submitted, watched and cancelled.

A driver is asyncio; PSI/J's JobExecutor is a synchronous face on one, and the service uses it directly. It
reports what it sees and decides nothing about activities.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from argosy.batch.contract import Control
from argosy.model import (
    ArgosyError,
    Command,
    Completed,
    InvalidStateException,
    JobSpec,
    JobState,
    Origin,
    Outcome,
    Phase,
    Share,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Preparation:
    """Text for bash that is run before a job's own ``pre_launch`` and after its ``post_launch``.

    In it ``argosy_unprepared WORDS`` ends the job: it has not started, in these words. In `after` it notes the words,
    and the job's end stays as it is. A text that ends the shell itself has failed too.
    """

    before: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to submit. `tag` is unique for ever: submitting the same tag again never runs it twice.

    `directory` is where it runs; None means what the specification says.
    """

    tag: str
    spec: JobSpec
    directory: str | None = None
    rerunnable: bool = False
    preparation: Preparation | None = None
    account: str | None = None
    """Whose it is, where a driver acts as several accounts."""
    origin: Origin | None = None
    """Where and with which environment it is submitted on this machine; None: as the driver's commands are run."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A job that the batch system has accepted."""

    tag: str
    native_id: str
    rerunnable: bool = False
    account: str | None = None
    """Whose it is, where a driver acts as several accounts."""
    attached: bool = False
    """Whether somebody gave its id, so that there may be no such job."""


@dataclass(frozen=True, slots=True)
class Report:
    """A change that was seen. `time` is when it happened (seconds since the epoch), the system's own where known.

    `message` is for people, in the batch system's words. With `phase` ENDED there is always an `outcome`, and an
    `exit_code` where that is EXITED. `run` counts the batch system's own requeues of the job. `state` says more
    than the phase RUNNING of a job that stages: STAGE_IN, ACTIVE, STAGE_OUT or CLEANUP.
    """

    tag: str
    native_id: str
    phase: Phase
    time: float
    outcome: Outcome | None = None
    exit_code: int | None = None
    signal: int | None = None
    message: str | None = None
    hosts: tuple[str, ...] = ()
    start_estimate: float | None = None
    usage: Usage | None = None
    run: int = 0
    state: JobState | None = None


#: Called with what was seen. When it returns the reports are taken care of, and their traces may be removed.
OnReports = Callable[[Sequence[Report]], Awaitable[None]]


class Driver(ABC):
    """Many jobs on one batch system. All methods belong to one event loop."""

    #: The batch system's name.
    name: str
    #: What `control` can do.
    controls: frozenset[Control]

    @abstractmethod
    async def open(self, on_reports: OnReports) -> None:
        """Begin. Reports are delivered one call at a time; a call that raises is tried again."""

    @abstractmethod
    def check(self, request: JobRequest) -> None:
        """Raise InvalidJobException, naming the element, for what can never be asked of this system.

        Of jobs that differ only in their arguments and the values of environment variables one is looked at for all.
        The specification has passed `JobSpec.check`, but for where its relative paths are.
        """

    @abstractmethod
    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        """Hand jobs to the batch system and begin to watch them.

        Answers for each request, in order: the native id; InvalidJobException where the job cannot be asked of this
        system; SubmitException where it was refused, in its own words; Unavailable where it is not known whether
        the job was accepted: ask `find` before trying again.
        """

    @abstractmethod
    async def find(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        """Which of these jobs the batch system has or has had, with their native ids; `accounts` tells whose each is,
        where a driver acts as several accounts.

        A tag that is absent was never accepted. Raises Unavailable where that cannot be said now.
        """

    async def withdraw(self, tags: Sequence[str], accounts: Mapping[str, str] | None = None) -> dict[str, str]:
        """Make sure that no copy of these jobs begins any more, which `find` does not show: one whose submission is
        still on its way, say. It is for good.

        Answers as `find` for those that have begun already: they go on. Raises Unavailable where it cannot be done now;
        it may then be done for some of them.
        """
        return await self.find(tags, accounts)

    @abstractmethod
    def watch(self, handles: Iterable[Handle]) -> None:
        """Report on these jobs from now on, beginning with what became of them meanwhile."""

    @abstractmethod
    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        """Do `verb` to these jobs; None for each where the request went through. The effect is reported later.

        Cancelling a job that has ended is no error.
        """

    async def settled(self, handles: Sequence[Handle]) -> None:
        """The end of these jobs has been recorded for good: what was kept only to tell of it may go.

        What keeps a job from running twice stays until `forget`, where a second copy of it can exist.
        """
        del handles

    @abstractmethod
    async def forget(self, handles: Sequence[Handle]) -> None:
        """Stop watching these jobs and remove what was kept about them. To be called once they have ended."""

    @abstractmethod
    async def list_jobs(self) -> list[str]:
        """The native ids of the caller's jobs that have not ended."""

    @abstractmethod
    async def shares(self) -> list[Share]:
        """The queues as they are now. Raises Unavailable."""

    def wake(self) -> None:
        """Something has changed that may let what is away be reached, credentials for one: try at once."""
        return

    @abstractmethod
    async def close(self) -> None:
        """Stop watching. Jobs go on."""

    async def run(self, command: Command, *, timeout: float, account: str | None = None) -> Completed:
        """Run a command where the batch system's own commands run, beside any job; as `account`, where a driver acts
        as several.

        Raises Unavailable where the host cannot be reached or `timeout` seconds pass, InvalidStateException where
        this driver runs no commands.
        """
        raise InvalidStateException(f"{self.name} runs jobs, and no commands beside them")
