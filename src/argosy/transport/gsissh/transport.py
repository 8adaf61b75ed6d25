"""Another host as a transport: commands and files through processes of gsissh."""

from __future__ import annotations

import os

from argosy.transport.contract import Credential
from argosy.transport.shell.connection import Connection
from argosy.transport.shell.target import Target
from argosy.transport.shell.transport import ShellTransport

from .connection import GSISSHConnection


class GSISSHTransport(ShellTransport):
    """Reaches a host as ``gsissh://[USER@]HOST[:PORT]`` says; the rest is as gsissh's configuration or `config` has it.

    Without a `credential` it is the one that gsissh itself finds, by ``X509_USER_PROXY`` for instance. With `delegate`
    the host is given a proxy of it.
    """

    takes_proxies = True

    def __init__(
        self,
        url: str,
        *,
        config: str | os.PathLike[str] | None = None,
        credential: Credential | None = None,
        delegate: bool = False,
    ) -> None:
        self._target = Target.of_url(url, config, "gsissh")
        self._credential = credential
        self._delegate = delegate
        super().__init__(str(self._target), ("gsissh", self._target, credential, delegate))

    def _connect(self) -> Connection:
        return GSISSHConnection(self._target, self._credential, delegate=self._delegate)
