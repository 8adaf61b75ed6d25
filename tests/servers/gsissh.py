"""GSI-OpenSSH for the tests: the real one where it is installed (gsi-openssh/build.sh makes it), or a stand-in.

The stand-in is a program gsissh that judges a proxy as the grid's own programs do, says what the real one says, and
then runs OpenSSH's ssh, with the key that the proxy's owner has at an sshd. Its command line is that of gsissh, which
is that of ssh. What it cannot show is the authentication by GSS-API itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.servers.needs import PATH, NotHere
from tests.servers.simpleca import SimpleCA
from tests.servers.sshd import Sshd

#: The directory in which GSI-OpenSSH was installed; without it gsissh and gsisshd are looked for on PATH.
PREFIX = "GSI_OPENSSH"

# What both have before them: a note of the command line and of whose proxy it is.
_NOTES = r"""#!/bin/bash
here=%(here)s
proxy=${X509_USER_PROXY:-/tmp/x509up_u$(id -u)}
printf '%%s\n' "$*" >>"$here/lines"
note() {
    printf '%%s\t%%s\n' "$(grid-proxy-info -file "$proxy" -identity 2>/dev/null)" \
        "$(openssl x509 -in "$proxy" -noout -serial 2>/dev/null)" >>"$here/logins"
}
"""
_REAL = r"""note
export X509_CERT_DIR=${X509_CERT_DIR:-%(certificates)s}
exec %(gsissh)s "$@"
"""
# openssl verifies the chain by RFC 3820; grid-proxy-info is Globus's own reading of it.
_STAND_IN = r"""
[ "$2" = -E ] && log=$3
say() {
    printf 'debug1: GSS Major Status: General failure\n\nGSS Minor Status Error Chain:\n%%s\n\n\n\r\n' "$1" >"$log"
}
refuse() {
    say "globus_credential: $1"
    printf 'there: Permission denied (gssapi-keyex,gssapi-with-mic).\r\n' >"$log"
    exit 255
}
[ -f "$proxy" ] && [ "$(stat -c %%a "$proxy")" = 600 ] || refuse "Valid credentials could not be found in any of the \
possible locations specified by the credential search order."
if ! openssl verify -CApath %(certificates)s -allow_proxy_certs -untrusted "$proxy" "$proxy" >/dev/null 2>&1; then
    openssl x509 -in "$proxy" -noout -checkend 0 >/dev/null || refuse "The proxy credential: $proxy expired"
    kill -SEGV $$ # so does the library
fi
{ read -r kind; read -r name; } < <(grid-proxy-info -file "$proxy" -type -identity)
as=$(awk -F '"' -v name="$name" '$2 == name { gsub(/^ /, "", $3); print $3 }' "$here/gridmap")
case $kind in *limited*) as= ;; esac
if [ -z "$as" ]; then
    printf 'there: Permission denied (gssapi-keyex,gssapi-with-mic).\r\n' >"$log"
    exit 255
fi
note
key=$(awk -v as="$as" '$1 == as { print $2 }' "$here/keys")
PATH=%(path)s exec ssh -i "$key" -l "$as" -o PreferredAuthentications=publickey -o PubkeyAuthentication=yes \
    -o IdentitiesOnly=yes -o IdentityAgent=none -o LogLevel=DEBUG1 "$@"
"""


@dataclass
class Gsissh:
    """The program in a directory, which is to be put on PATH; `config` is what leads it to the server as ``there``."""

    directory: Path
    config: Path
    grid: SimpleCA
    real: bool
    url: str = "gsissh://there"

    def proxy(self, user: str, file: Path, *options: str) -> Path:
        """A proxy of a user of the CA in a file that gsissh takes."""
        file.write_bytes(self.grid.proxy("-rfc", *options, user=user))
        file.chmod(0o600)
        return file

    def logins(self) -> list[tuple[str, str]]:
        """Who has logged in, or tried to: the name and the serial number of the proxy."""
        file = self.directory / "logins"
        return [tuple(line.split("\t")) for line in file.read_text().splitlines()] if file.exists() else []

    def lines(self) -> str:
        """The command lines that it was started with."""
        return (self.directory / "lines").read_text()

    def configure(self, *lines: str) -> None:
        """Add to what `config` says of the host."""
        with self.config.open("a") as file:
            file.writelines(f"    {line}\n" for line in lines)

    @property
    def path(self) -> str:
        """PATH with the program on it."""
        return f"{self.directory}{os.pathsep}{os.environ['PATH']}"


def installed() -> tuple[str, str] | None:
    """The real gsissh and gsisshd. Raises NotHere where a directory is named that has none."""
    prefix = os.environ.get(PREFIX)
    path = f"{prefix}/bin{os.pathsep}{prefix}/sbin" if prefix else PATH
    gsissh, gsisshd = (shutil.which(name, path=path) for name in ("gsissh", "gsisshd"))
    if gsissh and gsisshd:
        return gsissh, gsisshd
    if prefix:
        raise NotHere(f"there is no GSI-OpenSSH in {prefix}, which {PREFIX} names")
    return None


def install(directory: Path, grid: SimpleCA, sshd: Sshd, users: Mapping[str, tuple[Path, str]]) -> Gsissh:
    """The program, for `users`: the key and the account of each name. The server, which runs, becomes a gsisshd that
    takes proxies and no keys where GSI-OpenSSH is installed. Raises NotHere."""
    for program in ("grid-proxy-info", "openssl", "ssh"):
        if shutil.which(program) is None:
            raise NotHere(f"there is no {program}")
    directory.mkdir(parents=True, exist_ok=True)
    real = installed()
    program = directory / "gsissh"
    values = {
        "here": directory,
        "certificates": grid.certificates,
        "path": os.environ.get("PATH", os.defpath),
        "gsissh": real[0] if real else "",
    }
    program.write_text((_NOTES + (_REAL if real else _STAND_IN)) % values)
    program.chmod(0o755)
    gridmap = directory / "gridmap"
    gridmap.write_text("".join(f'"{name}" {user}\n' for name, (_, user) in users.items()))
    (directory / "keys").write_text("".join(f"{user} {key}\n" for key, user in users.values()))
    config = directory / "config"
    config.write_text(
        "Host there\n"
        f"    HostName 127.0.0.1\n    Port {sshd.port}\n    GlobalKnownHostsFile none\n"
        f"    UserKnownHostsFile {sshd.known_hosts}\n"
    )
    made = Gsissh(directory, config, grid, real is not None)
    if real:
        made.configure("GSSAPIServerIdentity localhost")
        certify(grid, "gsisshd", "localhost")
        sshd.stop()
        sshd.program = real[1]
        sshd.environ = {
            "X509_CERT_DIR": str(grid.certificates),
            "X509_USER_CERT": f"{grid.path}/gsisshd.cert",
            "X509_USER_KEY": f"{grid.path}/gsisshd.key",
            "GRIDMAP": str(gridmap),
        }
        sshd.options |= {"GSSAPIAuthentication": "yes", "GSSAPIKeyExchange": "yes", "PubkeyAuthentication": "no"}
        sshd.start()
    return made


def certify(grid: SimpleCA, name: str, host: str) -> None:
    """A certificate of the CA's for a host."""
    grid.certificate(
        name,
        host,
        "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n"
        f"subjectAltName=DNS:{host}\n",
    )
