"""What gsissh is started with. Its command line is that of OpenSSH's ssh; of an option the first value counts."""

from __future__ import annotations

import os
from collections.abc import Mapping

from argosy.model import Unavailable
from argosy.transport.shell.target import Target

PROGRAM = "gsissh"

#: Until a host has answered, in seconds.
CONNECT_TIMEOUT = 20
_OPTIONS = {
    # Nobody is asked for anything, and the host must be known.
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "NumberOfPasswordPrompts": "0",
    "UpdateHostKeys": "no",
    # Whose proxy it is decides who logs in: no key of this account, no agent, no password. Whether keys are exchanged
    # by it is the configuration's matter: gsissh does so unless that says no, and believes a host for its certificate
    # then. Only after that does it leave the choice of the account to the host.
    "GSSAPIAuthentication": "yes",
    "PreferredAuthentications": "gssapi-keyex,gssapi-with-mic",
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
    # What the grid's library says of a proxy or of a host is told at this level and above.
    "LogLevel": "DEBUG1",
}
#: What the program may need of this process's environment: where things are, nothing that says who somebody is.
_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "TMPDIR", "X509_CERT_DIR", "X509_VOMS_DIR")
#: What says who somebody is.
_OWN = ("X509_USER_PROXY", "X509_USER_CERT", "X509_USER_KEY", "KRB5CCNAME")


def words(program: str, target: Target, line: str, *, delegate: bool, log: str) -> list[str]:
    """The command that has `line` run by the login shell of `target`. What the program itself has to say goes to `log`,
    lest it be taken for what is printed there."""
    made = [program, "-T", "-E", log]
    if target.config is not None:
        made += ["-F", target.config]
    for name, value in (_OPTIONS | {"GSSAPIDelegateCredentials": "yes" if delegate else "no"}).items():
        made += ["-o", f"{name}={value}"]
    if target.port is not None:
        made += ["-p", str(target.port)]
    if target.user is not None:
        # Without a user the host goes by the name in the certificate, where keys are exchanged by it.
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
