"""PSI/J's JobExecutor: one way of running jobs, found by name."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from argosy._version import __version__
from argosy.model import (
    ArgosyError,
    InvalidJobException,
    InvalidStateException,
    JobSpec,
    JobState,
    JobStatus,
    SubmitException,
)
from argosy.model.plugins import Plugin, registered
from argosy.model.resources import ResourceSpecV1

from . import plugins
from .job import Callback, Job, notify

if TYPE_CHECKING:
    from packaging.version import Version

    from argosy.model import Observation

log = logging.getLogger(__name__)

#: Third-party executors register under this entry-point group.
GROUP = "argosy.executors"
#: Every batch system that is registered under this one has an executor too.
BATCH_GROUP = "argosy.batch"

_BOUND = "Job is already associated with an executor"


class JobNotNew(InvalidStateException, InvalidJobException):
    """The job was submitted or attached before.

    PSI/J has InvalidStateException for that; programs for psij-python catch InvalidJobException.
    """

    code = "invalid-state"


@dataclass(frozen=True, slots=True)
class JobExecutorConfig:
    """Where an executor keeps what it needs; None: a private directory in the user's home.

    `report_all_states`: jobs without staging directives report STAGE_IN, STAGE_OUT and CLEANUP too.
    `launcher_log_file` is for launchers that are written for psij-python: what they log goes there.
    """

    launcher_log_file: str | Path | None = None
    work_directory: str | Path | None = None
    report_all_states: bool = False


class JobExecutor(ABC):
    """Submits jobs, follows them and cancels them.

    Every status change of a job is reported to its own callback, then to the executor's. Callbacks run in a
    thread of the library.
    """

    # Set by `get_instance` on classes that are found by a descriptor.
    _NAME_: ClassVar[str] = ""
    _VERSION_: ClassVar[Version | None] = None
    _hears_all: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_notify_callback" in cls.__dict__:
            cls._hears_all = True

    def __init__(self, url: str | None = None, config: JobExecutorConfig | None = None) -> None:
        if config is not None and not isinstance(config, JobExecutorConfig):
            raise TypeError(f"config must be a JobExecutorConfig or None, not {config!r}")
        self.url = url
        self.config = config or JobExecutorConfig()
        self.callback: Callback | None = None

    @property
    def name(self) -> str:
        """The name that it is known by, in lower case."""
        return self._NAME_

    @property
    def version(self) -> Version:
        """The executor's version."""
        if self._VERSION_ is not None:
            return self._VERSION_
        from packaging.version import Version

        return Version(__version__)

    @property
    def listens(self) -> bool:
        """Whether anybody is to be told of the status changes of this executor's jobs."""
        return self.callback is not None or self._hears_all

    @property
    def needs_pools(self) -> bool:
        """Whether jobs are followed by thread pools: these end before functions that are registered with `atexit`."""
        return False

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
        if not isinstance(name, str):
            raise TypeError(f"name must be a text, not {name!r}")
        found = _registered().get(name.lower())
        if found is None:
            return _from_plugin(name, version_constraint, url, config)
        try:
            executor = _factory(found)(url=url, config=config)
        except ImportError as error:
            raise ValueError(f"Unable to load executor {name}: {error}") from error
        if not isinstance(executor, JobExecutor):
            raise ValueError(f"Unable to load executor {name}: {found.value} is not a JobExecutor")  # noqa: TRY004
        if version_constraint is not None:
            from packaging.specifiers import SpecifierSet

            wanted = SpecifierSet(version_constraint.strip().strip("()"))
            if not wanted.contains(executor.version, prereleases=True):
                if plugins.executors.find(name, version_constraint) is not None:
                    return _from_plugin(name, version_constraint, url, config)
                raise ValueError(f"No such executor: {name} {version_constraint}; there is {executor.version}")
        return executor

    @staticmethod
    def get_executor_names() -> set[str]:
        """The names that `get_instance` knows."""
        return set(_registered()) | plugins.executors.names()

    @staticmethod
    def register_executor(descriptor: plugins.Descriptor, root: str) -> None:
        """Make an executor known whose class is loaded from under the directory `root`.

        Raises ValueError where another one has its name and version. Names of Argosy's own executors mean those.
        """
        plugins.executors.register(descriptor, root)

    def set_job_status_callback(self, callback: Callback | None) -> None:
        """Tell `callback` of the status changes of all jobs of this executor; None: nobody."""
        self.callback = callback

    @abstractmethod
    def submit(self, job: Job | Sequence[Job]) -> None:
        """Hand a job over, or several at once; `native_id` is known from then on, or waits until it is.

        Raises InvalidJobException where the job is at fault, InvalidStateException where it was submitted before, and
        SubmitException where the batch system refused it; in each case the job is unchanged. Of several
        jobs those before the one at fault have been submitted.
        """

    @abstractmethod
    def cancel(self, job: Job) -> None:
        """Ask for a job to be cancelled."""

    def cancel_many(self, jobs: Sequence[Job]) -> None:
        """Ask for jobs to be cancelled, in as few requests as can be. All are tried; the first refusal is raised."""
        refused: ArgosyError | None = None
        for job in jobs:
            try:
                self.cancel(job)
            except ArgosyError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    @abstractmethod
    def attach(self, job: Job, native_id: str) -> None:
        """Make a NEW job the handle on a job that runs already; FAILED where nothing is known of it."""

    @abstractmethod
    def list(self) -> list[str]:
        """The native ids of the user's jobs that have not ended."""

    def hold(self, job: Job) -> None:
        """Keep a queued job from starting. Raises InvalidStateException where that cannot be done."""
        self._cannot("hold", job)

    def release(self, job: Job) -> None:
        """Let a held job start. Raises InvalidStateException where that cannot be done."""
        self._cannot("release", job)

    def suspend(self, job: Job) -> None:
        """Stop a running job. Raises InvalidStateException where that cannot be done."""
        self._cannot("suspend", job)

    def resume(self, job: Job) -> None:
        """Let a suspended job go on. Raises InvalidStateException where that cannot be done."""
        self._cannot("resume", job)

    def _cannot(self, verb: str, job: Job) -> NoReturn:
        raise InvalidStateException(f"the {self.name} executor cannot {verb} jobs: {job.id}")

    def info(self, jobs: Sequence[Job] | None = None, owner: str | None = None) -> Sequence[Job]:
        """What is known of jobs now, each with its `current_info` (`argosy.executors.information.JobInfo`).

        With neither argument: of all jobs of the user that have not ended. `jobs` need no more than a native id: what
        is found is told in new jobs, bound to nothing. `owner` can only be the user. Jobs that nothing is known of
        are left out.
        """
        from .information import information

        return information(self, jobs, owner)

    def observe(self, native_ids: Sequence[str]) -> Mapping[str, Observation]:
        """For `info`: what can be seen of these jobs now. Those that nothing is known of are absent."""
        raise InvalidStateException(f"the {self.name} executor cannot ask about {', '.join(native_ids)}")

    # -- for implementations ----------------------------------------------------------------------

    @staticmethod
    def jobs_of(job: Job | Iterable[Job]) -> Sequence[Job]:
        """The jobs that `submit` was given. Raises InvalidJobException where these are none; `check` looks at each."""
        if isinstance(job, Job):
            return (job,)
        if not isinstance(job, Iterable):
            raise _no_job(job)
        return job if isinstance(job, (list, tuple)) else list(job)

    def check(self, job: Job) -> None:
        """Raise where a job cannot be submitted; fill in what may be left out."""
        if not isinstance(job, Job):
            raise _no_job(job)
        if job.status.state is not JobState.NEW:
            raise JobNotNew("Job must be in NEW state")
        if job.executor is not None:
            raise JobNotNew(_BOUND)
        if job.spec is None:
            raise InvalidJobException("Missing specification", element="spec")
        job.spec.check()
        if job.spec.resources is None:
            job.spec.resources = ResourceSpecV1()

    def bind(self, job: Job) -> None:
        """Make a job this executor's own, before anything is done for it: of several threads one succeeds.

        Raises JobNotNew in the others. A job that is then not submitted is to be let go again: `unbind`.
        """
        if not job._bind(self):
            raise JobNotNew(_BOUND)

    @staticmethod
    def unbind(jobs: Iterable[Job]) -> None:
        """Those of them that were not accepted can be submitted again, here or elsewhere."""
        for job in jobs:
            if job._native_id is None:
                job.executor = None

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
        """Raise where a job was not submitted here. One that is bound nowhere is known by its native id alone."""
        if job.executor is not self and (job.executor is not None or job.native_id is None):
            raise SubmitException("the job was not submitted to this executor")

    # -- the names that executors written for psij-python use -------------------------------------

    def _check_job(self, job: Job) -> JobSpec:
        """Check a job and bind it to this executor."""
        self.check(job)
        assert job.spec is not None
        self.bind(job)
        return job.spec

    def _set_job_status(self, job: Job, status: JobStatus) -> None:
        job.status = status

    def _notify_callback(self, job: Job, status: JobStatus) -> None:
        notify(self.callback, job, status)

    @property
    def _cb(self) -> Callback | None:
        return self.callback

    def _get_launcher(self, name: str, version_constraint: str | None = None) -> Any:
        """The launcher as psij-python has them (`argosy.psij.Launcher`)."""
        if plugins.make_launcher is None:
            raise InvalidStateException("launchers of this kind are there once argosy.psij has been imported")
        return plugins.make_launcher(name, version_constraint, self.config)

    def __str__(self) -> str:
        where = f", url={self.url}" if self.url else ""
        return f"JobExecutor[{self.name}, {self.version}{where}]"


def _no_job(value: object) -> InvalidJobException:
    hint = "; Job(spec) makes one of a specification" if isinstance(value, JobSpec) else ""
    return InvalidJobException(
        f"a Job, or a list of them, is what can be submitted, not {value!r}{hint}", element="job"
    )


def _from_plugin(
    name: str, version_constraint: str | None, url: str | None, config: JobExecutorConfig | None
) -> JobExecutor:
    found = plugins.executors.find(name, version_constraint)
    if found is None:
        known = ", ".join(sorted(JobExecutor.get_executor_names()))
        wanted = f"{name} {version_constraint}" if version_constraint else name
        raise ValueError(f"No such executor: {wanted}. Available executors: {known}")
    try:
        loaded = found.load()
    except Exception as error:
        raise ValueError(f"Unable to load executor {name}: {error}") from error
    if not issubclass(loaded, JobExecutor):
        raise ValueError(  # noqa: TRY004
            f"Unable to load executor {name}: {found.descriptor.cls} is no JobExecutor of Argosy; if psij-python is "
            "imported too, call argosy.psij.install() before it"
        )
    loaded._NAME_ = name.lower()
    loaded._VERSION_ = found.version
    return loaded(url=url, config=config)


def _registered() -> dict[str, Plugin]:
    return {name.lower(): plugin for group in (BATCH_GROUP, GROUP) for name, plugin in registered(group).items()}


def _factory(plugin: Plugin) -> Callable[..., object]:
    loaded: Callable[..., object] = plugin.load()
    if plugin.group == BATCH_GROUP:
        from .batch.executor import executor_of  # the only executor that this one knows, and only when asked for

        return executor_of(loaded)
    return loaded
