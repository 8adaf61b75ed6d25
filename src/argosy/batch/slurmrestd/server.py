"""Where a slurmrestd is, who asks, and in which version of its interface: what the configuration says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from argosy.model import InvalidInput

#: Where the socket is of a daemon that its package's service file starts.
SOCKET = "/run/slurmrestd.socket"
#: The newest version that was tried; Slurm 22.05 to 23.11 have it.
VERSION = "v0.0.38"

_URL = re.compile(r"https?://[^\s/?#@]+/?\Z")
_VERSION = re.compile(r"v0\.0\.(\d{2,4})\Z", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Server:
    """Paths are of the host that the commands are run on.

    `socket`: an absolute path. `url` instead: ``http[s]://host:port``. `token_file`: absolute or ``~/...``, readable
    for its owner only, with what ``scontrol token`` prints or a JWT alone; without it the daemon knows the caller by
    the socket. `user`: who the token is for, where that is another than who runs the commands. `version`: of the
    interface, e.g. ``v0.0.38``; ``/openapi/v3`` of the daemon has all that it offers.
    """

    socket: str = ""
    url: str = ""
    token_file: str = ""
    user: str = ""
    version: str = VERSION

    @classmethod
    def configured(cls, options: Mapping[str, object]) -> Server:
        """From a configuration's options. Raises InvalidInput naming the one at fault."""
        known = [one.name for one in fields(cls)]
        for name, value in options.items():
            if name not in known:
                raise _wrong(name, f"there is no option {name!r}; there are {', '.join(known)}")
            if not isinstance(value, str) or not value or _CONTROL.search(value):
                raise _wrong(name, f"{name} must be a text of one line, not {value!r}")
        server = cls(**{name: str(value) for name, value in options.items()})
        if server.socket and server.url:
            raise _wrong("url", "either socket or url says where slurmrestd is, not both")
        if server.socket and not server.socket.startswith("/"):
            raise _wrong("socket", f"socket must be an absolute path, not {server.socket!r}")
        if server.url and not _URL.match(server.url):
            raise _wrong("url", f"url must be like http://host:6820, not {server.url!r}")
        if server.token_file and not server.token_file.startswith(("/", "~/")):
            raise _wrong("token_file", f"token_file must be an absolute path or ~/..., not {server.token_file!r}")
        if server.url and not server.token_file:
            raise _wrong("token_file", "with a url a token_file is needed: only a socket tells who calls")
        if server.user and not _USER.match(server.user):
            raise _wrong("user", f"{server.user!r} is no user's name")
        if not _VERSION.match(server.version):
            raise _wrong("version", f"version must be like {VERSION}, not {server.version!r}")
        return server

    @cached_property
    def number(self) -> int:
        """The last part of the version. From 39 on values have forms of their own (`properties`, `values`)."""
        match = _VERSION.match(self.version)
        assert match is not None
        return int(match[1])

    @property
    def where(self) -> list[str]:
        """curl's options for it."""
        return [] if self.url else ["--unix-socket", self.socket or SOCKET]

    def slurm(self, path: str) -> str:
        """The address of something that the controller has."""
        return f"{self._base}/slurm/{self.version}/{path}"

    def accounting(self, path: str) -> str:
        """The address of something that the accounting has."""
        return f"{self._base}/slurmdb/{self.version}/{path}"

    @property
    def _base(self) -> str:
        return self.url.rstrip("/") or "http://localhost"


def _wrong(option: str, why: str) -> InvalidInput:
    return InvalidInput(f"slurmrestd: {why}", element=f"options.{option}")
