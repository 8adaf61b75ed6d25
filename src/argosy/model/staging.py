"""Files that are brought in before a job runs and out after it (PSI/J, staging directives).

Everything happens where the job runs: a source or target is a path there, written as it is, or as a ``file:`` URL
(RFC 8089). A text that does not begin like a URL is a path, byte for byte.
"""

from __future__ import annotations

import os
import re
from enum import Enum, Flag
from pathlib import Path
from urllib.parse import ParseResult, unquote, urlparse

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[Ff][Ii][Ll][Ee]:")
_LOST = re.compile(r"[\t\r\n]")


class URI:
    """A file, here or elsewhere.

    The parts are those of a URL (RFC 3986); of a path `path` alone is not empty. Raises ValueError for what looks
    like a URL and is none.
    """

    __slots__ = ("_parts", "_text")

    def __init__(self, urlstring: str | os.PathLike[str]) -> None:
        text = os.fspath(urlstring)
        if not isinstance(urlstring, str) and _URL.match(text):
            text = "./" + text  # a file whose name looks like a URL
        self._text = text
        if _URL.match(text):
            if odd := _LOST.search(text):
                raise ValueError(f"{text!r} is not a URL: the character {odd[0]!r} must be percent-encoded in one")
            self._parts = urlparse(text)
        else:
            self._parts = ParseResult("", "", text, "", "", "")

    @property
    def scheme(self) -> str:
        """The scheme, in lower case; empty for a path."""
        return self._parts.scheme

    @property
    def netloc(self) -> str:
        """Host, port and login together."""
        return self._parts.netloc

    @property
    def hostname(self) -> str | None:
        """The host, None where none is named."""
        return self._parts.hostname

    @property
    def port(self) -> int | None:
        """The port, None where none is named."""
        return self._parts.port

    @property
    def path(self) -> str:
        """The path as it is written."""
        return self._parts.path

    @property
    def params(self) -> str:
        """The parameters of the path's last part."""
        return self._parts.params

    @property
    def query(self) -> str:
        """The query."""
        return self._parts.query

    @property
    def fragment(self) -> str:
        """The fragment."""
        return self._parts.fragment

    @property
    def username(self) -> str | None:
        """The user's name, None where none is given."""
        return self._parts.username

    @property
    def password(self) -> str | None:
        """The password, None where none is given."""
        return self._parts.password

    @property
    def local_path(self) -> str | None:
        """The path of a file on the machine that this is read on; None where it is elsewhere."""
        if not self.scheme:
            return self._text
        if self.scheme != "file" or self.hostname not in (None, "", "localhost"):
            return None
        return unquote(self._text_of_path(), errors="surrogateescape")

    def _text_of_path(self) -> str:
        # In a file: URL only ? and # end the path.
        return self.path + (f";{self.params}" if self.params else "")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"URI({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, URI) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)


class StagingMode(Enum):
    """How a file gets from its source to its target."""

    COPY = 1
    LINK = 2
    """The target becomes a symbolic link to the source."""
    MOVE = 3
    """The source is no longer there afterwards."""


class StageOutFlags(Flag):
    """When a file is brought out. Without any ON_ flag: ALWAYS."""

    NONE = 0
    IF_PRESENT = 1
    """A source that is not there is no failure."""
    ON_SUCCESS = 2
    """When the application exited with 0."""
    ON_ERROR = 4
    """When it did not, or was not started."""
    ON_CANCEL = 8
    """When the job got a TERM signal: it was cancelled, or its time was up."""
    ALWAYS = 14

    @property
    def effective(self) -> StageOutFlags:
        """These flags, with ALWAYS where they say nothing of when."""
        return self if self & StageOutFlags.ALWAYS else self | StageOutFlags.ALWAYS


class StageIn:
    """Bring `source` to `target` before the job starts. Relative paths are relative to the job's directory."""

    __slots__ = ("mode", "source", "target")

    def __init__(
        self,
        source: URI | str | os.PathLike[str],
        target: str | os.PathLike[str],
        mode: StagingMode = StagingMode.COPY,
    ) -> None:
        self.source = source if isinstance(source, URI) else URI(source)
        self.target = Path(target)
        self.mode = mode

    def _key(self) -> tuple[object, ...]:
        return self.source, self.target, self.mode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StageIn) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"StageIn({str(self.source)!r}, {str(self.target)!r}, {self.mode})"


class StageOut:
    """Bring `source` to `target` after the job, where `flags` say so. Relative paths are as in `StageIn`."""

    __slots__ = ("_flags", "mode", "source", "target")

    def __init__(
        self,
        source: str | os.PathLike[str],
        target: URI | str | os.PathLike[str],
        flags: StageOutFlags = StageOutFlags.ALWAYS,
        mode: StagingMode = StagingMode.COPY,
    ) -> None:
        self.source = Path(source)
        self.target = target if isinstance(target, URI) else URI(target)
        self.flags = flags
        self.mode = mode

    @property
    def flags(self) -> StageOutFlags:
        """When; never without an ON_ flag."""
        return self._flags

    @flags.setter
    def flags(self, value: StageOutFlags) -> None:
        self._flags = value.effective if isinstance(value, StageOutFlags) else value

    def _key(self) -> tuple[object, ...]:
        return self.source, self.target, self.flags, self.mode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StageOut) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"StageOut({str(self.source)!r}, {str(self.target)!r}, {self.flags}, {self.mode})"
