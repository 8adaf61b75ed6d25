"""What a client asks the service for, in whatever language it was written, once parsed."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field

from .errors import InvalidInput
from .spec import JobSpec


@dataclass(slots=True)
class InputFile:
    """A file that must be in the session directory before the job starts; the client pushes it there.

    `size` (bytes) and `sha256` (hexadecimal) are checked where given; `executable` makes it so.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    executable: bool = False


@dataclass(slots=True)
class OutputFile:
    """A file that the job must leave in the session directory, for the client to pull."""

    path: str
    optional: bool = False


@dataclass(slots=True)
class ActivityDescription:
    """A job specification and what the service does around it.

    Paths in `spec` that are relative are within the session directory, which is the working directory where the
    specification names none. `share` is ``RESOURCE`` or ``RESOURCE/QUEUE``. `rerunnable` allows a
    requeue by the batch system to run the application again. `held`: create it, and start it only when told.
    """

    spec: JobSpec
    inputs: list[InputFile] = field(default_factory=list)
    outputs: list[OutputFile] = field(default_factory=list)
    share: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    rerunnable: bool = False
    held: bool = False

    def check(self) -> None:
        """Raise InvalidInput naming the first field that is wrong."""
        self.spec.check()
        named: tuple[tuple[str, Sequence[InputFile | OutputFile]], ...] = (
            ("inputs", self.inputs),
            ("outputs", self.outputs),
        )
        for label, files in named:
            seen: set[str] = set()
            for index, file in enumerate(files):
                element = f"{label}[{index}].path"
                session_path(file.path, element)
                if file.path in seen:
                    raise InvalidInput(f"{file.path!r} is named twice", element=element)
                seen.add(file.path)
        for name in ("stdin_path", "stdout_path", "stderr_path", "pre_launch", "post_launch"):
            path = getattr(self.spec, name)
            if path is not None and not path.is_absolute():
                session_path(str(path), name)
        for key, value in self.tags.items():
            if not key or "\0" in key + value:
                raise InvalidInput(f"{key!r} cannot be a tag's name", element="tags")


def session_path(path: str, element: str = "path") -> str:
    """The normal form of a path inside a session directory; InvalidInput where it would lead out of it."""
    normal = posixpath.normpath(path) if path else ""
    if not path or path.startswith("/") or normal == ".." or normal.startswith("../") or "\0" in path:
        raise InvalidInput(
            f"{path!r} is not a path inside the session directory: it must be relative and must not lead out of it",
            element=element,
        )
    return normal
