"""What gsissh is started with. Its command line is that of OpenSSH's ssh; of an option the first value counts."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from argosy.model import Unavailable
from argosy.transport.shell.target import Target

PROGRAM = "gsissh"


class Credential(ABC):
    """Whom logins are for. Equal ones share their logins."""

    @abstractmethod
    def lent(self) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """The variables of the environment that name the credential as it is now: entered before each login and left
        after it. Raises Unavailable where there is none that is good."""

    @abstractmethod
    async def check(self) -> None:
        """Raise Unavailable where there is none that is good: logins with it are not used any more then."""


#: Until a host has answered, in seconds.
CONNECT_TIMEOUT = 20
_OPTIONS = {
    # Nobody is asked for anything, and the host must be known.
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "NumberOfPasswordPrompts": "0",
    "UpdateHostKeys": "no",
    # Whose proxy it is decides who logs in: no key of this account, no agent, no password.
    "GSSAPIAuthentication": "yes",
    "PreferredAuthentications": "gssapi-with-mic",
    # By it a host would be believed for its certificate alone; and the credential would be read again much later.
    "GSSAPIKeyExchange": "no",
    "PubkeyAuthentication": "no",
    "HostbasedAuthentication": "no",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    # A process is a connection: one that somebody else's proxy has opened is not used.
    "ControlMaster": "no",
    "ControlPath": "none",
    "ConnectionAttempts": "1",
    "ConnectTimeout": str(CONNECT_TIMEOUT),
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "LogLevel": "INFO",
}
#: What the program may need of this process's environment: where things are, nothing that says who somebody is.
_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "TMPDIR", "X509_CERT_DIR", "X509_VOMS_DIR")
#: What says who somebody is.
_OWN = ("X509_USER_PROXY", "X509_USER_CERT", "X509_USER_KEY", "KRB5CCNAME")


def words(program: str, target: Target, line: str, *, delegate: bool) -> list[str]:
    """The command that has `line` run by the login shell of `target`."""
    made = [program, "-T"]
    if target.config is not None:
        made += ["-F", target.config]
    for name, value in (_OPTIONS | {"GSSAPIDelegateCredentials": "yes" if delegate else "no"}).items():
        made += ["-o", f"{name}={value}"]
    if target.port is not None:
        made += ["-p", str(target.port)]
    if target.user is not None:
        # Without a user the host goes by the name in the certificate.
        made += ["-l", target.user]
    return [*made, "--", target.host, line]


def environment(own: Mapping[str, str], credential: Mapping[str, str] | None) -> dict[str, str]:
    """The program's environment: with `credential`, the variables that name one, or else with what `own` has."""
    passed = _PASSED if credential is not None else _PASSED + _OWN
    made = {name: value for name, value in own.items() if name in passed or name.startswith("GLOBUS_")}
    return made | dict(credential or {})


def find(path: str | None) -> str:
    """Where the program is. Raises Unavailable."""
    for directory in (path or os.defpath).split(os.pathsep):
        file = os.path.join(directory, PROGRAM)
        if directory and os.access(file, os.X_OK) and os.path.isfile(file):
            return file
    raise Unavailable(
        f"there is no program {PROGRAM} on PATH, which gsissh:// urls need: install GSI-OpenSSH (gsi-openssh-clients "
        "of EPEL; Debian has no package of it)"
    )
