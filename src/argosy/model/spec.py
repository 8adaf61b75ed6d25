"""What to run (PSI/J, JobSpec)."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .attributes import JobAttributes
from .choices import shown
from .directives import check_directives
from .errors import InvalidJobException
from .resources import ResourceSpec, ResourceSpecV1
from .shell import is_variable_name
from .staging import StageIn, StageOut, StageOutFlags
from .texts import unencodable

#: The longest single argument or environment string that Linux passes on (execve(2), MAX_ARG_STRLEN).
MAX_ARGUMENT = 131_072 - 1
#: A text of fewer characters has no more bytes than that.
_SURELY = MAX_ARGUMENT // 4


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return Path(value) if type(value) is str else value  # type: ignore[return-value]  # checked by check()


def path_text(value: str | os.PathLike[str] | None) -> str | None:
    """A path as `Path` would write it; most are written so already, and making a `Path` costs ten times as much."""
    if value is None:
        return None
    text = os.fspath(value)
    if "/" not in text:
        return text
    if "//" in text or "/." in text or text.startswith(".") or text.endswith("/"):
        return str(Path(text))
    return text


class JobSpec:
    """The executable, its arguments, environment, directory and streams, and what it needs.

    The meaning of each field is PSI/J's: `directory` is absolute or starts with ``~/``; a relative `executable`
    with a slash is relative to it, one without is looked up on PATH; relative stream paths are relative to it;
    a stream that is not named is ``/dev/null``. ``${NAME}`` in arguments and environment values is replaced by
    that variable where the job runs (write ``$${NAME}`` for the text itself).

    `stage_in` and `stage_out` are lists or sets of files to bring to the job and away from it, `cleanup` paths in its
    directory to remove at its end, when `cleanup_flags` say so.

    Constructing one checks nothing: `check` does, and `JobExecutor.submit` calls it.
    """

    __slots__ = (
        "_directory",
        "_name",
        "_post_launch",
        "_pre_launch",
        "_stderr_path",
        "_stdin_path",
        "_stdout_path",
        "arguments",
        "attributes",
        "cleanup",
        "cleanup_flags",
        "environment",
        "executable",
        "inherit_environment",
        "launcher",
        "resources",
        "stage_in",
        "stage_out",
    )

    def __init__(
        self,
        executable: str | None = None,
        arguments: list[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        name: str | None = None,
        inherit_environment: bool = True,
        environment: dict[str, str] | None = None,
        stdin_path: str | os.PathLike[str] | None = None,
        stdout_path: str | os.PathLike[str] | None = None,
        stderr_path: str | os.PathLike[str] | None = None,
        resources: ResourceSpec | None = None,
        attributes: JobAttributes | None = None,
        pre_launch: str | os.PathLike[str] | None = None,
        post_launch: str | os.PathLike[str] | None = None,
        launcher: str | None = None,
        stage_in: Collection[StageIn] | None = None,
        stage_out: Collection[StageOut] | None = None,
        cleanup: Collection[str | os.PathLike[str]] | None = None,
        cleanup_flags: StageOutFlags = StageOutFlags.ALWAYS,
    ) -> None:
        self.executable = executable
        self.arguments = arguments
        self._directory = directory
        self._name = name
        self.inherit_environment = inherit_environment
        self.environment = environment
        self._stdin_path = stdin_path
        self._stdout_path = stdout_path
        self._stderr_path = stderr_path
        self.resources = resources
        self.attributes = JobAttributes() if attributes is None else attributes
        self._pre_launch = pre_launch
        self._post_launch = post_launch
        self.launcher = launcher
        self.stage_in = stage_in
        self.stage_out = stage_out
        self.cleanup = cleanup
        self.cleanup_flags = cleanup_flags

    @property
    def name(self) -> str | None:
        """The job's name; that of the executable where none was given."""
        return self.executable if self._name is None else self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value

    @property
    def given_name(self) -> str | None:
        """The name that was given, None where none was."""
        return self._name

    # Paths are turned into Path objects when they are asked for: it costs more than all the rest of a JobSpec.
    @property
    def directory(self) -> Path | None:
        """The working directory."""
        return _path(self._directory)

    @directory.setter
    def directory(self, value: str | os.PathLike[str] | None) -> None:
        self._directory = value

    @property
    def stdin_path(self) -> Path | None:
        """The file that standard input is read from."""
        return _path(self._stdin_path)

    @stdin_path.setter
    def stdin_path(self, value: str | os.PathLike[str] | None) -> None:
        self._stdin_path = value

    @property
    def stdout_path(self) -> Path | None:
        """The file that standard output is written to."""
        return _path(self._stdout_path)

    @stdout_path.setter
    def stdout_path(self, value: str | os.PathLike[str] | None) -> None:
        self._stdout_path = value

    @property
    def stderr_path(self) -> Path | None:
        """The file that standard error is written to."""
        return _path(self._stderr_path)

    @stderr_path.setter
    def stderr_path(self, value: str | os.PathLike[str] | None) -> None:
        self._stderr_path = value

    @property
    def pre_launch(self) -> Path | None:
        """A POSIX shell script sourced once before the launcher starts the executable."""
        return _path(self._pre_launch)

    @pre_launch.setter
    def pre_launch(self, value: str | os.PathLike[str] | None) -> None:
        self._pre_launch = value

    @property
    def post_launch(self) -> Path | None:
        """A POSIX shell script sourced once after every process of the job has exited."""
        return _path(self._post_launch)

    @post_launch.setter
    def post_launch(self, value: str | os.PathLike[str] | None) -> None:
        self._post_launch = value

    @property
    def effective_resources(self) -> ResourceSpecV1:
        """The resources asked for, those of one process where nothing was."""
        return self.resources if isinstance(self.resources, ResourceSpecV1) else ResourceSpecV1()

    @property
    def stages(self) -> bool:
        """Whether there is anything to bring in or out, or to clean up."""
        return bool(self.stage_in or self.stage_out or self.cleanup)

    def check(self, *, complete: bool = True) -> None:
        """Raise InvalidJobException naming the first field that is wrong; `complete`: something must be run.

        Paths among executable and arguments become texts, whole numbers in the environment too.
        """
        if isinstance(self.executable, os.PathLike):
            self.executable = os.fspath(self.executable)
        if complete or self.executable is not None:
            _check_text("executable", self.executable, required=True)
        self._check_own()
        if self.environment is not None:
            self._check_environment(self.environment)
        if type(self.inherit_environment) is not bool:
            raise InvalidJobException(
                f"inherit_environment must be true or false, not {self.inherit_environment!r}",
                element="inherit_environment",
            )
        for field in ("_directory", "_stdin_path", "_stdout_path", "_stderr_path", "_pre_launch", "_post_launch"):
            value = getattr(self, field)
            if value is not None and not _is_plain(value):
                _check_text(field[1:], os.fspath(value) if isinstance(value, os.PathLike) else value)
        if self._directory is not None:
            directory = os.fspath(self._directory)
            if not directory.startswith("/") and directory != "~" and not directory.startswith("~/"):
                raise InvalidJobException(
                    f"directory must be an absolute path or start with ~/, not {directory!r}", element="directory"
                )
        if self.launcher is not None:
            _check_text("launcher", self.launcher)
        if self.resources is not None:
            if not isinstance(self.resources, ResourceSpecV1):
                raise InvalidJobException(
                    f"resources must be a ResourceSpecV1, not {self.resources!r}", element="resources"
                )
            self.resources.check()
        if not isinstance(self.attributes, JobAttributes):
            raise InvalidJobException(
                f"attributes must be a JobAttributes, not {self.attributes!r}", element="attributes"
            )
        self.attributes.check()
        if self.stages or self.cleanup_flags is not StageOutFlags.ALWAYS:
            check_directives(self, _check_required)

    def _check_own(self) -> None:
        """The name and the arguments, which are different in each job of many."""
        if self._name is not None:
            _check_text("name", self._name)
        if self.arguments is not None:
            if not isinstance(self.arguments, (list, tuple)):
                raise InvalidJobException(
                    f"arguments must be a list of texts, not {self.arguments!r}", element="arguments"
                )
            for argument in self.arguments:
                if type(argument) is not str or not _is_sound(argument):
                    self._check_arguments(self.arguments)
                    break

    def of_its_own(
        self,
        name: str | None,
        arguments: list[str] | None,
        environment: dict[str, str] | None,
        streams: tuple[str | None, str | None, str | None],
    ) -> JobSpec:
        """Another one with these, checked; everything else is shared with this one, and was checked with it.

        `streams` are the paths of standard input, output and error. Raises InvalidJobException as `check`.
        """
        same = environment == self.environment
        other = JobSpec(
            self.executable,
            arguments,
            self._directory,
            name,
            self.inherit_environment,
            self.environment if same else environment,
            *streams,
            self.resources,
            self.attributes,
            self._pre_launch,
            self._post_launch,
            self.launcher,
            self.stage_in,
            self.stage_out,
            self.cleanup,
            self.cleanup_flags,
        )
        other._check_own()
        if environment is not None and not same:
            self._check_environment(environment)
        for field, path in zip(("stdin_path", "stdout_path", "stderr_path"), streams, strict=True):
            if path is not None:
                _check_text(field, path)
        return other

    def _check_arguments(self, arguments: list[str]) -> None:
        """Those that are not all plain texts."""
        if any(isinstance(argument, os.PathLike) for argument in arguments):
            self.arguments = arguments = [
                os.fspath(argument) if isinstance(argument, os.PathLike) else argument for argument in arguments
            ]
        for index, argument in enumerate(arguments):
            _check_value(f"arguments[{index}]", argument)

    @staticmethod
    def _check_environment(environment: dict[str, str]) -> None:
        if not isinstance(environment, dict):
            raise InvalidJobException(
                f"environment must be a mapping of names to texts, not {environment!r}", element="environment"
            )
        for name, value in environment.items():
            if type(name) is not str or not is_variable_name(name):
                raise InvalidJobException(
                    f"{name!r} cannot name an environment variable: letters, digits and underscores, no digit first",
                    element=f"environment.{shown(str(name))}" if name else "environment",
                )
            if type(value) is str and _is_sound(value):
                continue
            if isinstance(value, int) and not isinstance(value, bool):
                environment[name] = str(value)  # as programs written for psij-python count on
            else:
                _check_value(f"environment.{name}", value)

    def _key(self) -> tuple[Any, ...]:
        return (
            self.executable,
            self.arguments or None,
            self.directory,
            self.name,
            self.inherit_environment,
            self.environment or None,
            self.stdin_path,
            self.stdout_path,
            self.stderr_path,
            self.resources,
            self.attributes,
            self.pre_launch,
            self.post_launch,
            self.launcher,
            frozenset(self.stage_in or ()),
            frozenset(self.stage_out or ()),
            frozenset(os.fspath(path) for path in self.cleanup or ()),
            self.cleanup_flags.effective,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobSpec) and self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]  # mutable, as PSI/J's is

    def __repr__(self) -> str:
        return f"JobSpec(executable={self.executable!r}, arguments={self.arguments!r})"


def _is_plain(value: object) -> bool:
    """Whether there can be nothing wrong with a text."""
    return type(value) is str and value != "" and _is_sound(value)


def _is_sound(text: str) -> bool:
    """Whether any program can receive it; of others that takes a closer look (`_check_value`)."""
    return text.isascii() and "\0" not in text and len(text) <= _SURELY


def _check_text(element: str, value: object, *, required: bool = False) -> None:
    if _is_plain(value):
        return
    if value is None and required:
        raise InvalidJobException(f"{element} is missing", element=element)
    if type(value) is not str:
        raise InvalidJobException(f"{element} must be a text, not {value!r}", element=element)
    if not value:
        raise InvalidJobException(f"{element} must not be empty", element=element)
    _check_value(element, value)


def _check_required(element: str, value: object) -> None:
    _check_text(element, value, required=True)


def _check_value(element: str, value: object) -> None:
    if type(value) is not str:
        raise InvalidJobException(f"{element} must be a text, not {value!r}", element=element)
    if "\0" in value:
        raise InvalidJobException(
            f"{element} contains the NUL character, which no program can receive", element=element
        )
    if odd := unencodable(value):
        raise InvalidJobException(f"{element} has {odd}", element=element)
    if len(value) > _SURELY and len(value.encode("utf-8", "surrogateescape")) > MAX_ARGUMENT:
        raise InvalidJobException(
            f"{element} is longer than the {MAX_ARGUMENT} bytes that the system passes to a program; put it in a file",
            element=element,
        )
