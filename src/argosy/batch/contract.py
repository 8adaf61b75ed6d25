"""The contract for a batch system: text in, text out.

A batch system renders scripts and commands and parses what they print. It never runs anything, opens anything or looks
at a clock, so recorded outputs of real clusters test it exactly, and it works unchanged through any transport.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from argosy.model import Command, Completed, InvalidInput, JobSpec, Share, Snapshot


@dataclass(frozen=True, slots=True)
class Submission:
    """One job about to be handed to a batch system.

    `tag` is Argosy's own name of the job, letters, digits and ``._-`` only. `launch` is the shell text that starts the
    application, as its launcher wrote it (`argosy.batch.script.command_text` gives a launcher the command).
    `directory` is where it runs, absolute or ``~/...``; None leaves it to the batch system. `rerunnable`
    lets a requeue by the batch system run the application again. `before` and `after` are text for bash that prepares
    what the job needs, run before ``pre_launch`` and after ``post_launch``; in it ``argosy_unprepared WORDS`` ends the
    job before its application is started (in `after`: notes the words).
    """

    tag: str
    spec: JobSpec
    launch: str
    directory: str | None = None
    rerunnable: bool = False
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """What one submit command submits: one job, or several as one array.

    `tag` marks the group in the batch system; that of a single job is the job's own. Element `i` of an array
    (counted from 0) is ``members[i]``.
    """

    tag: str
    members: tuple[Submission, ...]

    @property
    def is_array(self) -> bool:
        """Whether it is submitted as a job array."""
        return len(self.members) > 1


class Control(StrEnum):
    """What can be done to a job that the batch system has."""

    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    SUSPEND = "suspend"
    RESUME = "resume"


class BatchSystem(ABC):
    """Knowledge of one batch system's scripts, commands and outputs."""

    #: The name it is asked for by, and the prefix of its custom attributes.
    name: ClassVar[str]
    #: Commands that are all on PATH where this system is used; empty where that cannot be told from commands.
    signs: ClassVar[tuple[str, ...]] = ()
    #: The most jobs that one array may hold; 0 where there are no arrays.
    max_array: ClassVar[int] = 0
    #: What `control` can do.
    controls: ClassVar[frozenset[Control]] = frozenset({Control.CANCEL})

    def __init__(self, options: Mapping[str, object] | None = None) -> None:
        """`options` are what a configuration says about this system, which without more takes none.

        Raises InvalidInput for what is wrong in them, its element ``options.NAME``.
        """
        if options:
            name = next(iter(options))
            raise InvalidInput(f"{self.name} has no option {name!r}; it has none at all", element=f"options.{name}")

    # -- submitting -------------------------------------------------------------------------------

    @abstractmethod
    def directives(self, submission: Submission) -> tuple[str, ...]:
        """The script's directive lines for this job, apart from those about tag, array and spool.

        Jobs with equal directives may become one array. Raises InvalidJobException for what cannot be asked of this
        system, naming the element.
        """

    @abstractmethod
    def script(self, group: Group, spool: str) -> str:
        """The whole script to submit. `spool` is the absolute path of the status spool on the host."""

    @abstractmethod
    def submit(self, script: str) -> Command:
        """The command that submits a script."""

    @abstractmethod
    def parse_submit(self, done: Completed, group: Group) -> list[str]:
        """The native ids, one for each member of the group.

        Raises SubmitException with the system's own words where it refused, Unavailable where it could not be
        reached (the job may or may not have been accepted: ask `find`).
        """

    # -- watching ---------------------------------------------------------------------------------

    @abstractmethod
    def status(self, ids: Sequence[str]) -> Command:
        """The one command that asks for all these jobs."""

    @abstractmethod
    def parse_status(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        """What it showed of these ids, array elements one by one. Raises Unavailable where it did not answer.

        An id that is absent is unknown to this source, not ended.
        """

    def accounting(self, ids: Sequence[str]) -> Command | None:
        """The command that asks the accounting about jobs that have ended; None where there is none."""
        del ids
        return None

    def parse_accounting(self, done: Completed, ids: Sequence[str]) -> Snapshot:
        """As `parse_status`, of the accounting's answer. Raises Unavailable where there is no accounting."""
        raise NotImplementedError(f"{self.name} has no accounting command")

    @abstractmethod
    def find(self, tags: Sequence[str]) -> tuple[Command, ...]:
        """The commands that look jobs up by their groups' tags; what any of them shows counts."""

    @abstractmethod
    def parse_find(self, done: Completed, tags: Sequence[str]) -> dict[str, str]:
        """Tags found, each with its job's id (an array's own id, not an element's). Raises Unavailable."""

    def element_id(self, array_id: str, index: int) -> str:
        """The native id of element `index` of an array."""
        raise NotImplementedError(f"{self.name} has no arrays here")

    @abstractmethod
    def list_jobs(self) -> Command:
        """The command that lists the caller's jobs."""

    @abstractmethod
    def parse_list(self, done: Completed) -> list[str]:
        """The native ids of the caller's jobs that have not ended, array elements one by one."""

    # -- acting -----------------------------------------------------------------------------------

    @abstractmethod
    def control(self, verb: Control, ids: Sequence[str]) -> Command:
        """The command that does `verb` to all these jobs. Raises InvalidInput where none of them can be an id here."""

    @abstractmethod
    def parse_control(self, verb: Control, done: Completed, ids: Sequence[str]) -> dict[str, str]:
        """The ids that it was refused for, each with the system's words; empty where all went well.

        A job that has ended meanwhile is no refusal of a cancel. Raises Unavailable where nobody answered.
        """

    # -- what there is ----------------------------------------------------------------------------

    @abstractmethod
    def shares(self) -> tuple[Command, ...]:
        """The commands that describe the queues."""

    @abstractmethod
    def parse_shares(self, done: Sequence[Completed]) -> list[Share]:
        """The queues. Raises Unavailable where nobody answered."""
