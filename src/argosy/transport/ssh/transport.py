"""Another host as a transport: commands and files through one shared ssh connection."""

from __future__ import annotations

import os

from argosy.transport.shell.connection import Connection
from argosy.transport.shell.target import Target
from argosy.transport.shell.transport import ShellTransport

from .connection import SSHConnection


class SSHTransport(ShellTransport):
    """Reaches a host as ``ssh://[USER@]HOST[:PORT]`` says; the rest is as ``~/.ssh/config``, or `config`, has it."""

    def __init__(self, url: str, *, config: str | os.PathLike[str] | None = None) -> None:
        self._target = Target.of_url(url, config)
        super().__init__(str(self._target), ("ssh", self._target))

    def _connect(self) -> Connection:
        return SSHConnection(self._target)
