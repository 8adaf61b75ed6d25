"""A certification authority and users of it, made by the grid's own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.needs import NotHere

PROGRAMS = ("grid-ca-create", "grid-proxy-init", "voms-proxy-fake", "openssl")


def ensure_simpleca() -> None:
    """Raise NotHere where the programs are missing."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise NotHere(f"there is no {missing[0]}")


class SimpleCA:
    """A SimpleCA in a directory, and certificates of it."""

    def __init__(self, path: Path, name: str = "Test CA") -> None:
        self.path = path
        self.certificates = path / "certificates"
        self.run(
            "grid-ca-create", "-noint", "-pass", "secret", "-dir", path / "ca", "-subject",
            f"cn={name},ou=argosy,o=Grid", "-email", "nobody@localhost", "-days", "30",
        )  # fmt: skip
        (archive,) = path.glob("globus_simple_ca_*.tar.gz")
        self.certificates.mkdir()
        self.run("tar", "-xzf", archive, "--strip-components=1", "-C", self.certificates)

    def run(self, *words: str | Path) -> None:
        environ = os.environ | {"X509_CERT_DIR": str(self.certificates), "HOME": str(self.path)}
        done = subprocess.run(
            list(map(str, words)),
            cwd=self.path,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"

    def certificate(self, name: str, common: str, extensions: str) -> None:
        key, request, cert = (self.path / f"{name}.{kind}" for kind in ("key", "req", "cert"))
        (self.path / f"{name}.ext").write_text(extensions)
        self.run(
            "openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
            "-subj", f"/O=Grid/OU=argosy/CN={common}", "-out", request,
        )  # fmt: skip
        key.chmod(0o400)
        self.run(
            "openssl", "x509", "-req", "-in", request, "-CA", self.path / "ca" / "cacert.pem",
            "-CAkey", self.path / "ca" / "private" / "cakey.pem", "-passin", "pass:secret", "-CAcreateserial",
            "-days", "10", "-extfile", self.path / f"{name}.ext", "-out", cert,
        )  # fmt: skip

    def user(self, name: str, common: str) -> None:
        """A user with a certificate; `name` is what `proxy` knows them by."""
        self.certificate(name, common, "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth\n")

    def proxy(self, *options: str, user: str = "user") -> bytes:
        """A proxy certificate of a user, as grid-proxy-init writes it."""
        out = self.path / f"{user}.proxy"
        out.unlink(missing_ok=True)
        self.run(
            "grid-proxy-init", "-cert", self.path / f"{user}.cert", "-key", self.path / f"{user}.key", "-out", out,
            *options,
        )  # fmt: skip
        return out.read_bytes()
