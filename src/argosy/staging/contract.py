"""What is asked of staging, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from argosy.model.description import CreationFlag

Direction = Literal["fetch", "push"]

#: Told now and then how many bytes of a request have been moved, and how many there are (None: not known yet).
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class S3Keys:
    """An access key; `session_token` is that of a temporary one."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Password:
    """A user's name and password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """With what an activity's files are moved. No secret is shown by `repr`, written to a log or to a command line.

    `certificate` is a PEM text of a certificate or proxy with its chain and private key; `token` a bearer token;
    `ssh_key` a private key in a form that OpenSSH reads, `ssh_user` whose it is; `known_hosts` lines of host keys
    beside those of the service. `passwords` and `s3` are by host (``HOST`` or ``HOST:PORT``; ``*`` for any);
    for s3 also by bucket. `hosts`, where given, are those to which the token may be shown; otherwise any that the
    description names.
    """

    certificate: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ssh_key: str | None = field(default=None, repr=False)
    ssh_user: str | None = None
    known_hosts: str | None = field(default=None, repr=False)
    passwords: Mapping[str, Password] = field(default_factory=dict, repr=False)
    s3: Mapping[str, S3Keys] = field(default_factory=dict, repr=False)
    hosts: frozenset[str] | None = None

    def token_for(self, host: str) -> str | None:
        """The bearer token, if this host may see it."""
        return self.token if self.hosts is None or host in self.hosts else None

    def password_for(self, host: str, place: str) -> Password | None:
        """The password for a host, the closest first."""
        return self.passwords.get(place) or self.passwords.get(host) or self.passwords.get("*")


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring a file, or a directory, into a session directory, from the first source that works.

    `directory` is the session directory (absolute), `path` what it is to be there; where a source ends in a slash, or
    `path` does, it is a directory with all that is in it. `size` (bytes) and `checksums` (algorithm to hexadecimal;
    `argosy.staging.checksums.ALGORITHMS`) are what must arrive. `token`, where given, names this very request:
    the same one again, after a crash, does not append twice and is not refused because of its own file.
    `owner` is whose it is: what was fetched with credentials is cached for that owner alone. `cacheable` allows that
    the file is kept, and taken from what was kept. `most` is how many bytes may be written at all, as a quota says.
    """

    directory: str
    path: str
    sources: tuple[str, ...]
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    executable: bool = False
    creation: CreationFlag = "overwrite"
    credentials: Credentials | None = None
    owner: str = ""
    cacheable: bool = True
    token: str | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file is there. `source` is what it came from, as it may be shown; `tried` are the sources that failed before,
    each with the words of its failure. `checksums` are those that were computed (hexadecimal). `size` and `files` are
    those of all files of a directory together; `attempts` counts transfers that were begun, `seconds` all of it."""

    source: str
    size: int
    seconds: float
    attempts: int = 1
    files: int = 1
    cached: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)
    tried: tuple[tuple[str, str], ...] = ()

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.size / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Push:
    """Send a file, the files that a pattern fits, or a directory (a trailing slash) from a session directory to every
    target. A target that ends in a slash is a directory, and the files get their own names in it. `optional`: that
    nothing is there is no failure. `token` as in `Fetch`."""

    directory: str
    path: str
    targets: tuple[str, ...]
    creation: CreationFlag = "overwrite"
    credentials: Credentials | None = None
    optional: bool = False
    owner: str = ""
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one target. `url` is as it may be shown. `error` is None where all of it is there now; otherwise
    why not, and the files in the session directory are as they were. With `fault` a program can tell what to do."""

    url: str
    files: int
    size: int
    seconds: float
    attempts: int = 1
    error: str | None = None
    fault: str | None = None
    verified: bool = False
    """Whether the other side was asked afterwards for the size or checksum of what it has, and it was right."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What can be done with a scheme here. Where it cannot be used at all, `missing` says what lacks."""

    scheme: str
    fetch: bool
    push: bool
    directories: bool
    missing: str | None = None
