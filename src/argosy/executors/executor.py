"""PSI/J's JobExecutor: one way of running jobs, found by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from argosy._version import __version__
from argosy.model import InvalidJobException, InvalidStateException, JobState, JobStatus, SubmitException
from argosy.model.resources import ResourceSpecV1

from .job import Callback, Job

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: Third-party executors register under this entry-point group.
GROUP = "argosy.executors"
#: Every batch system that is registered under this one has an executor too.
BATCH_GROUP = "argosy.batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecutorConfig:
    """Where an executor keeps what it needs; None: a private directory in the user's home."""

    work_directory: str | Path | None = None


class JobExecutor(ABC):
    """Submits jobs, follows them and cancels them.

    Every status change of a job is reported to its own callback, then to the executor's. Callbacks run in a
    thread of the library.
    """

    #: The name that `get_instance` was asked for, in lower case.
    name: ClassVar[str]

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        self.url = url
        self.config = config or JobExecutorConfig()
        self.callback: Callback | None = None

    @property
    def version(self) -> str:
        """The executor's version."""
        return __version__

    @staticmethod
    def get_instance(
        name: str,
        version_constraint: str | None = None,
        url: str | None = None,
        config: JobExecutorConfig | None = None,
    ) -> JobExecutor:
        """The executor of that name, in any case.

        `version_constraint` is as in a requirement, e.g. ``>= 0.1``. Raises ValueError where there is no such executor,
        where its version does not fit, or where it cannot be loaded.
        """
        found = _registered().get(name.lower())
        if found is None:
            known = ", ".join(sorted(_registered()))
            raise ValueError(f"No such executor: {name}. Available executors: {known}")
        try:
            executor = _factory(found)(url=url, config=config)
        except ImportError as error:
            raise ValueError(f"Unable to load executor {name}: {error}") from error
        if not isinstance(executor, JobExecutor):
            raise ValueError(f"Unable to load executor {name}: {found.value} is not a JobExecutor")  # noqa: TRY004
        if version_constraint is not None:
            from packaging.specifiers import SpecifierSet

            if not SpecifierSet(version_constraint).contains(executor.version, prereleases=True):
                raise ValueError(f"No such executor: {name} {version_constraint}; there is {executor.version}")
        return executor

    @staticmethod
    def get_executor_names() -> set[str]:
        """The names that `get_instance` knows."""
        return set(_registered())

    def set_job_status_callback(self, callback: Callback | None) -> None:
        """Tell `callback` of the status changes of all jobs of this executor; None: nobody."""
        self.callback = callback

    @abstractmethod
    def submit(self, job: Job | Sequence[Job]) -> None:
        """Hand a job over, or several at once; on return `native_id` is set.

        Raises InvalidJobException where the job is at fault, InvalidStateException where it was submitted before, and
        SubmitException where the batch system refused it; in each case the job is unchanged. Of several
        jobs those before the one at fault have been submitted.
        """

    @abstractmethod
    def cancel(self, job: Job) -> None:
        """Ask for a job to be cancelled."""

    @abstractmethod
    def attach(self, job: Job, native_id: str) -> None:
        """Make a NEW job the handle on a job that runs already; FAILED where nothing is known of it."""

    @abstractmethod
    def list(self) -> list[str]:
        """The native ids of the user's jobs that have not ended."""

    # -- for implementations ----------------------------------------------------------------------

    def check(self, job: Job) -> None:
        """Raise where a job cannot be submitted; fill in what may be left out."""
        if job.status.state is not JobState.NEW:
            raise InvalidStateException("Job must be in NEW state")
        if job.executor is not None:
            raise InvalidStateException("Job is already associated with an executor")
        if job.spec is None:
            raise InvalidJobException("Missing specification", element="spec")
        job.spec.check()
        if job.spec.resources is None:
            job.spec.resources = ResourceSpecV1()

    def accept(self, job: Job, native_id: str) -> None:
        """A job was accepted: it is QUEUED."""
        job.executor = self
        job.native_id = native_id
        job.status = JobStatus(JobState.QUEUED, metadata={"native_id": native_id})

    def check_attach(self, job: Job) -> None:
        """Raise where a job cannot be attached (PSI/J, JobExecutor.attach)."""
        if job.status.state is not JobState.NEW or job.executor is not None:
            raise InvalidJobException("only a job in the NEW state can be attached")

    def check_own(self, job: Job) -> None:
        """Raise where a job was not submitted here."""
        if job.executor is not self:
            raise SubmitException("the job was not submitted to this executor")

    def __str__(self) -> str:
        where = f", url={self.url}" if self.url else ""
        return f"JobExecutor[{self.name}, {self.version}{where}]"


def _registered() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # a third of the whole import, and only needed here

    found = entry_points()
    systems = {entry.name.lower(): entry for entry in found.select(group=BATCH_GROUP)}
    return systems | {entry.name.lower(): entry for entry in found.select(group=GROUP)}


def _factory(entry: EntryPoint) -> Callable[..., object]:
    loaded: Callable[..., object] = entry.load()
    if entry.group == BATCH_GROUP:
        from .batch.executor import executor_of  # the only executor that this one knows, and only when asked for

        return executor_of(loaded)
    return loaded
