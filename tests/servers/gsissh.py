"""A stand-in for GSI-OpenSSH, which Debian does not have: a program gsissh that judges a proxy as the grid's own
programs do, and then runs the real ssh, with the key that its owner has at the real sshd.

Its command line is that of gsissh, which is that of ssh. What it cannot show is the authentication by GSS-API itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.servers.needs import NotHere
from tests.servers.simpleca import SimpleCA
from tests.servers.sshd import Sshd

# openssl verifies the chain by RFC 3820; grid-proxy-info is Globus's own reading of it.
_PROGRAM = r"""#!/bin/bash
here=%(here)s
proxy=${X509_USER_PROXY:-/tmp/x509up_u$(id -u)}
refuse() {
    printf '%%s\n' "GSS-API error Failure acquiring GSSAPI proxy credentials:" "GSS Minor Status Error Chain:" \
        "globus_credential: $1" "Permission denied (gssapi-keyex,gssapi-with-mic)." >&2
    exit 255
}
printf '%%s\n' "$*" >>"$here/lines"
[ -f "$proxy" ] || refuse "Valid credentials could not be found in any of the possible locations specified by the \
credential search order."
[ "$(stat -c %%a "$proxy")" = 600 ] || refuse "Proxy file ($proxy) has wrong permissions"
if ! openssl verify -CApath %(certificates)s -allow_proxy_certs -untrusted "$proxy" "$proxy" >/dev/null 2>&1; then
    openssl x509 -in "$proxy" -noout -checkend 0 >/dev/null || refuse "The proxy credential: $proxy has expired"
    refuse "Error verifying credential: Failed to verify credential"
fi
{ read -r kind; read -r name; } < <(grid-proxy-info -file "$proxy" -type -identity)
case $kind in *limited*) refuse "the proxy is a limited one" ;; esac
as=$(awk -F '\t' -v name="$name" '$1 == name { print $2 }' "$here/gridmap")
if [ -z "$as" ]; then
    echo "Permission denied (gssapi-keyex,gssapi-with-mic)." >&2
    exit 255
fi
printf '%%s\t%%s\n' "$name" "$(openssl x509 -in "$proxy" -noout -serial)" >>"$here/logins"
PATH=%(path)s exec ssh -i "${as%% *}" -l "${as#* }" -o PreferredAuthentications=publickey -o PubkeyAuthentication=yes \
    -o IdentitiesOnly=yes -o IdentityAgent=none "$@"
"""


@dataclass
class Gsissh:
    """The program in a directory, which is to be put on PATH; `config` is what leads it to the sshd as ``there``."""

    directory: Path
    config: Path
    grid: SimpleCA
    url: str = "gsissh://there"

    def proxy(self, user: str, file: Path, *options: str) -> Path:
        """A proxy of a user of the CA in a file that gsissh takes."""
        file.write_bytes(self.grid.proxy("-rfc", *options, user=user))
        file.chmod(0o600)
        return file

    def logins(self) -> list[tuple[str, str]]:
        """Who has logged in: the name and the serial number of the proxy."""
        file = self.directory / "logins"
        return [tuple(line.split("\t")) for line in file.read_text().splitlines()] if file.exists() else []  # type: ignore[misc]

    def lines(self) -> str:
        """The command lines that it was started with."""
        return (self.directory / "lines").read_text()

    @property
    def path(self) -> str:
        """PATH with the program on it."""
        return f"{self.directory}{os.pathsep}{os.environ['PATH']}"


def install(directory: Path, grid: SimpleCA, sshd: Sshd, users: Mapping[str, tuple[Path, str]]) -> Gsissh:
    """The program, for `users`: the key and the account at the sshd of each name. Raises NotHere."""
    for program in ("grid-proxy-info", "openssl", "ssh"):
        if shutil.which(program) is None:
            raise NotHere(f"there is no {program}")
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "gsissh"
    program.write_text(
        _PROGRAM % {"here": directory, "certificates": grid.certificates, "path": os.environ.get("PATH", os.defpath)}
    )
    program.chmod(0o755)
    (directory / "gridmap").write_text("".join(f"{name}\t{key} {user}\n" for name, (key, user) in users.items()))
    config = directory / "config"
    config.write_text(
        "Host there\n"
        f"    HostName 127.0.0.1\n    Port {sshd.port}\n    GlobalKnownHostsFile none\n"
        f"    UserKnownHostsFile {sshd.known_hosts}\n"
    )
    return Gsissh(directory, config, grid)
