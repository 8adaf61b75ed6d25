"""The configuration of executors as psij-python has it: attributes that may be set, and a work directory always."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, TypeVar

from argosy.executors import executor as _executors

T = TypeVar("T", bound="JobExecutorConfig")


class _WorkDirectory:
    """Where work directories are by default; looked up when it is asked for, as the environment may change."""

    def __get__(self, instance: object, owner: type | None = None) -> Path:
        state = os.environ.get("XDG_STATE_HOME")
        return (Path(state) if state else Path.home() / ".local" / "state") / "argosy" / "work"


class _Default:
    def __get__(self, instance: object, owner: type | None = None) -> JobExecutorConfig:
        return JobExecutorConfig()


class JobExecutorConfig(_executors.JobExecutorConfig):
    """`work_directory` holds an executor's files, and must be seen by the hosts that run the jobs.

    `launcher_log_file` takes what launchers that are scripts log.
    """

    #: A configuration with nothing set.
    DEFAULT: ClassVar[_Default] = _Default()
    #: The work directory where none is given.
    DEFAULT_WORK_DIRECTORY: ClassVar[_WorkDirectory] = _WorkDirectory()

    def __init__(
        self,
        launcher_log_file: str | os.PathLike[str] | None = None,
        work_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        self.launcher_log_file = launcher_log_file
        self.work_directory = work_directory

    #: Whether jobs without staging directives report STAGE_IN, STAGE_OUT and CLEANUP too.
    report_all_states: bool = False

    # The base class is frozen, and this one is not.
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__

    @property
    def launcher_log_file(self) -> Path | None:
        """Where launchers that are scripts log; None: nowhere."""
        return self._launcher_log_file

    @launcher_log_file.setter
    def launcher_log_file(self, value: str | os.PathLike[str] | None) -> None:
        self._launcher_log_file = None if value is None else Path(value)

    @property
    def work_directory(self) -> Path:
        """Where the executor's files are."""
        return self._work_directory

    @work_directory.setter
    def work_directory(self, value: str | os.PathLike[str] | None) -> None:
        self._work_directory = self.DEFAULT_WORK_DIRECTORY if value is None else Path(value)

    @classmethod
    def _from_config(cls: type[T], config: _executors.JobExecutorConfig) -> T:
        """One of this class that says the same."""
        new = cls()
        new.work_directory = config.work_directory
        new.launcher_log_file = config.launcher_log_file
        new.report_all_states = config.report_all_states
        return new

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values().items())
        return f"{type(self).__name__}({values})"

    def _values(self) -> dict[str, object]:
        return {name.removeprefix("_"): value for name, value in vars(self).items()}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # mutable
