"""Launchers as psij-python has them: a list of words that starts a whole job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from argosy.executors import executor as _executors
from argosy.executors import plugins
from argosy.executors.job import Job
from argosy.launchers import registry

from .job_executor_config import JobExecutorConfig


class Launcher(ABC):
    """Gives the command that starts the processes of a job, `pre_launch`, streams and `post_launch` included."""

    DEFAULT_LAUNCHER_NAME: ClassVar[str] = "single"
    # Set by `get_instance`.
    _NAME_: ClassVar[str] = ""
    _VERSION_: ClassVar[object] = None

    def __init__(self, config: _executors.JobExecutorConfig | None = None) -> None:
        if isinstance(config, JobExecutorConfig):
            self.config = config
        else:
            self.config = JobExecutorConfig() if config is None else JobExecutorConfig._from_config(config)

    @abstractmethod
    def get_launch_command(self, job: Job) -> list[str]:
        """The command's words."""

    def is_launcher_failure(self, output: str) -> bool:
        """Whether the launcher itself has failed, by what it has printed."""
        del output
        return False

    def get_launcher_failure_message(self, output: str) -> str:
        """Of what a launcher that has failed has printed, the part that says why."""
        return output

    @staticmethod
    def get_instance(
        name: str, version_constraint: str | None = None, config: _executors.JobExecutorConfig | None = None
    ) -> Launcher:
        """The launcher of that name. Raises ValueError where there is none, or where it cannot be loaded."""
        if name in registry.launcher_names():
            from .launchers.own import OwnLauncher

            return OwnLauncher(name, config)
        entry = plugins.launchers.find(name, version_constraint)
        if entry is None:
            known = ", ".join(sorted(Launcher.get_launcher_names()))
            raise ValueError(f"No such launcher: {name}. Available launchers: {known}")
        try:
            loaded = entry.load()
        except Exception as error:
            raise ValueError(f"Unable to load launcher {name}: {error}") from error
        if not issubclass(loaded, Launcher):
            raise ValueError(f"Unable to load launcher {name}: {entry.descriptor.cls} is no Launcher")  # noqa: TRY004
        loaded._NAME_ = name
        loaded._VERSION_ = entry.version
        return loaded(config=config)

    @staticmethod
    def get_launcher_names() -> set[str]:
        """The names that `get_instance` knows."""
        return registry.launcher_names() | plugins.launchers.names()

    @staticmethod
    def register_launcher(descriptor: plugins.Descriptor, root: str) -> None:
        """Make a launcher known whose class is loaded from under the directory `root`.

        Raises ValueError where another one has its name and version. Names of Argosy's own launchers mean those.
        """
        plugins.launchers.register(descriptor, root)
