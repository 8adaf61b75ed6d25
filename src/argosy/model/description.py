"""What a client asks the service for, in whatever language it was written, once parsed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from .choices import shown
from .errors import InvalidInput
from .notification import Callback
from .spec import JobSpec, path_text

#: What becomes of a file that is there already (JSDL 1.0, CreationFlag): it is replaced, or added to, or it stays as it
#: is and the staging fails.
CreationFlag = Literal["overwrite", "append", "refuse"]

#: So files are called while they are written, until they have their name; nobody is shown them, or can reach them.
PARTIAL = ".argosy-upload-"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)


@dataclass(slots=True)
class InputFile:
    """A file that must be in the session directory before the job starts.

    `content` is the file itself, where it is small and text. Otherwise it is pulled from the first of the URLs in
    `sources` that works; where there are none the client pushes it. With a trailing slash it is a directory with all
    that is in it. `size` (bytes) and the checksums `sha256`, `adler32` and `md5` (hexadecimal) are
    checked where given; `executable` makes it so. `creation` says what becomes of a file of that name that is there
    already; with `delete_on_termination` the file is removed once the job has ended and its output is staged out.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    executable: bool = False
    content: str | None = None
    sources: list[str] = field(default_factory=list)
    creation: CreationFlag = "overwrite"
    delete_on_termination: bool = False
    adler32: str | None = None
    md5: str | None = None


@dataclass(slots=True)
class OutputFile:
    """A file that the job must leave in the session directory; with a trailing slash a directory with all that is in
    it, with ``*``, ``?`` or ``[...]`` in its path all that fit that pattern, at least one.

    It is pushed to each of the URLs in `targets`; where there are none it stays for the client to pull. `creation` is
    about what is at a target already.
    """

    path: str
    optional: bool = False
    targets: list[str] = field(default_factory=list)
    creation: CreationFlag = "overwrite"
    delete_on_termination: bool = False


@dataclass(slots=True)
class EnvironmentRequest:
    """A runtime environment that the job is to run in.

    `version` constrains which, as ``>=1.2,<2`` (Python's version specifiers); any where empty. `parameters` are its
    own. One that is `optional` is left out where it is not to be had.
    """

    name: str
    version: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    optional: bool = False


@dataclass(slots=True)
class ActivityDescription:
    """A job specification and what the service does around it.

    Paths in `spec` that are relative are within the session directory, which is the working directory where the
    specification names none. `share` is ``RESOURCE`` or ``RESOURCE/QUEUE``. `rerunnable` allows a
    requeue by the batch system to run the application again. `held`: create it, and start it only when told.
    `interactive`: files can be put into its session directory also while the job runs.
    `notify`: whom to tell what happens to it. `credentials` are the ids of those that its owner has delegated and that
    its files are moved with; `offer_credentials` gives the job copies of the proxy and the token among them.

    Where no share is named one is chosen: of those in `candidates` (as `share`; any where there are none) with this
    `architecture` (in the words of ``uname -m``), this `operating_system` (of ``uname -s``), all `labels` that the
    administrators give shares, and all `environments` but the optional ones.
    """

    spec: JobSpec
    inputs: list[InputFile] = field(default_factory=list)
    outputs: list[OutputFile] = field(default_factory=list)
    share: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    rerunnable: bool = False
    held: bool = False
    notify: list[Callback] = field(default_factory=list)
    architecture: str | None = None
    operating_system: str | None = None
    labels: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    environments: list[EnvironmentRequest] = field(default_factory=list)
    interactive: bool = False
    credentials: list[str] = field(default_factory=list)
    offer_credentials: bool = False

    def check(self) -> None:
        """Raise InvalidInput naming the first field that is wrong."""
        self.spec.check()
        for name in self.spec.attributes.custom_attributes or ():
            if "." not in name:
                # PSI/J leaves these aside; whoever asks a service is told that they reach nobody.
                raise InvalidInput(
                    f"a custom attribute is named SYSTEM.OPTION, e.g. slurm.constraint, not {name!r}",
                    element="attributes.custom_attributes",
                )
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
        for index, file in enumerate(self.inputs):
            _check_urls(file.sources, f"inputs[{index}].sources")
            if file.content is not None and file.sources:
                raise InvalidInput(
                    "a file has either its content here or sources that it comes from, not both",
                    element=f"inputs[{index}].content",
                )
        for index, output in enumerate(self.outputs):
            _check_urls(output.targets, f"outputs[{index}].targets")
        for name in ("stdin_path", "stdout_path", "stderr_path", "pre_launch", "post_launch"):
            path = path_text(getattr(self.spec, "_" + name))
            if path is not None:
                _check_path(path, name)
        for index, callback in enumerate(self.notify):
            callback.check(f"notify[{index}].")
        asked: set[str] = set()
        for index, environment in enumerate(self.environments):
            if environment.name in asked:
                raise InvalidInput(
                    f"the environment {environment.name!r} is asked for twice; give it one version constraint",
                    element=f"environments[{index}].name",
                )
            asked.add(environment.name)
        self._check_tags()

    def of_its_own(
        self,
        name: str | None,
        arguments: list[str],
        environment: dict[str, str],
        tags: dict[str, str],
        streams: tuple[str | None, str | None, str | None],
    ) -> ActivityDescription:
        """Another one with these, checked; everything else is shared with this one, and was checked with it.

        `streams` are the paths of standard input, output and error. Raises InvalidInput naming the first of these
        fields that is wrong.
        """
        spec = self.spec.of_its_own(name, arguments, environment, streams)
        other = ActivityDescription(
            spec,
            self.inputs,
            self.outputs,
            self.share,
            tags,
            self.rerunnable,
            self.held,
            self.notify,
            self.architecture,
            self.operating_system,
            self.labels,
            self.candidates,
            self.environments,
            self.interactive,
            self.credentials,
            self.offer_credentials,
        )
        for element, stream in zip(("stdin_path", "stdout_path", "stderr_path"), streams, strict=True):
            path = path_text(stream)
            if path is not None:
                _check_path(path, element)
        other._check_tags()
        return other

    def _check_tags(self) -> None:
        for key, value in self.tags.items():
            if not key or "\0" in key + value:
                raise InvalidInput(f"{key!r} cannot be a tag's name", element=f"tags.{shown(key)}" if key else "tags")


def _check_path(path: str, element: str) -> None:
    """Of a stream or a script: anywhere, or in the session directory."""
    if not path.startswith("/"):
        session_path(path, element)


def _check_urls(urls: Sequence[str], element: str) -> None:
    for index, url in enumerate(urls):
        if not _SCHEME.match(url) or any(character in url for character in "\0\r\n"):
            raise InvalidInput(f"{url!r} is no URL; it begins with a scheme, as https:", element=f"{element}[{index}]")


def session_path(path: str, element: str = "path") -> str:
    """The normal form of a path inside a session directory; InvalidInput where it would lead out of it, or is a name
    that the service has for itself."""
    if PARTIAL in path and any(part.startswith(PARTIAL) for part in path.split("/")):
        raise InvalidInput(f"names that begin with {PARTIAL} are the service's own", element=element)
    if "/" not in path and path not in ("", "..") and "\0" not in path:
        return path  # a bare name is its own normal form
    normal = posixpath.normpath(path) if path else ""
    if not path or path.startswith("/") or normal == ".." or normal.startswith("../") or "\0" in path:
        raise InvalidInput(
            f"{path!r} is not a path inside the session directory: it must be relative and must not lead out of it",
            element=element,
        )
    return normal
