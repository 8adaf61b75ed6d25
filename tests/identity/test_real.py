"""Proxies as the grid's own programs make them: a SimpleCA, grid-proxy-init, voms-proxy-fake."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.identity import Evidence, Refused
from argosy.identity.x509 import CADirectory, VomsDirectory, X509Proxies
from tests.identity.pki import header

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::UserWarning")]

_PROGRAMS = ("grid-ca-create", "grid-proxy-init", "voms-proxy-fake", "openssl")


class Grid:
    """A SimpleCA in a directory, and certificates of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.certificates = path / "certificates"
        self.run(
            "grid-ca-create", "-noint", "-pass", "secret", "-dir", path / "ca", "-subject",
            "cn=Test CA,ou=argosy,o=Grid", "-email", "nobody@localhost", "-days", "30",
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

    def proxy(self, *options: str) -> bytes:
        out = self.path / "proxy"
        out.unlink(missing_ok=True)
        self.run(
            "grid-proxy-init", "-cert", self.path / "user.cert", "-key", self.path / "user.key", "-out", out, *options
        )
        return out.read_bytes()

    def door(self) -> X509Proxies:
        return X509Proxies(CADirectory(self.certificates, look_every=0), VomsDirectory(self.path / "vomsdir"))


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """Without the programs tests are skipped; where CI is set they fail."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there is no {missing[0]}")
    made = Grid(tmp_path_factory.mktemp("grid"))
    made.certificate(
        "user", "Alice Example", "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth\n"
    )
    made.certificate("voms", "localhost", "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n")
    known = made.path / "vomsdir" / "labvo"
    known.mkdir(parents=True)
    (known / "localhost.lsc").write_text("/O=Grid/OU=argosy/CN=localhost\n/O=Grid/OU=argosy/CN=Test CA\n")
    return made


@pytest.mark.parametrize("options", [["-rfc"], ["-draft"], ["-old"], ["-rfc", "-path-length", "0"], ["-bits", "1024"]])
async def test_proxies_of_every_kind(grid: Grid, options: list[str]) -> None:
    caller = await grid.door().authenticate(Evidence({"proxy": header(grid.proxy(*options))}))
    assert caller is not None
    assert caller.name == "/O=Grid/OU=argosy/CN=Alice Example"


@pytest.mark.parametrize("kind", ["-rfc", "-draft", "-old"])
async def test_limited_proxies(grid: Grid, kind: str) -> None:
    with pytest.raises(Refused) as caught:
        await grid.door().authenticate(Evidence({"proxy": header(grid.proxy(kind, "-limited"))}))
    assert caught.value.reason == "limited"


async def test_voms(grid: Grid) -> None:
    out = grid.path / "voms-proxy"
    grid.run(
        "voms-proxy-fake", "-rfc", "-cert", grid.path / "user.cert", "-key", grid.path / "user.key",
        "-certdir", grid.certificates, "-hostcert", grid.path / "voms.cert", "-hostkey", grid.path / "voms.key",
        "-voms", "labvo", "-uri", "localhost:15000", "-out", out,
        "-fqan", "/labvo/Role=NULL/Capability=NULL", "-fqan", "/labvo/prod/Role=pilot/Capability=NULL",
    )  # fmt: skip
    caller = await grid.door().authenticate(Evidence({"proxy": header(out.read_bytes())}))
    assert caller is not None
    assert caller.groups == {"/labvo", "/labvo/prod/Role=pilot"}


async def test_a_revocation_list_of_openssl_s(grid: Grid) -> None:
    """By the CA's own tools: the list is good, and the certificate is on it."""
    file = header(grid.proxy())
    door = grid.door()
    assert await door.authenticate(Evidence({"proxy": file})) is not None
    (grid.path / "index.txt").write_text("")
    (grid.path / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndatabase={grid.path}/index.txt\ndefault_md=sha256\ndefault_crl_days=3\n"
        f"certificate={grid.path}/ca/cacert.pem\nprivate_key={grid.path}/ca/private/cakey.pem\n"
    )
    openssl = ("openssl", "ca", "-config", grid.path / "ca.cnf", "-passin", "pass:secret")
    (anchor,) = grid.certificates.glob("*.0")
    crl = anchor.with_suffix(".r0")
    try:
        grid.run(*openssl, "-gencrl", "-out", crl)
        assert await door.authenticate(Evidence({"proxy": file})) is not None
        grid.run(*openssl, "-revoke", grid.path / "user.cert")
        grid.run(*openssl, "-gencrl", "-out", crl)
        with pytest.raises(Refused) as caught:
            await door.authenticate(Evidence({"proxy": file}))
        assert caught.value.reason == "revoked"
    finally:
        crl.unlink(missing_ok=True)
