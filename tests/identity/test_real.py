"""Proxies as the grid's own programs make them: a SimpleCA, grid-proxy-init, voms-proxy-fake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from argosy.identity import Evidence, Refused
from argosy.identity.x509 import CADirectory, VomsDirectory, X509Proxies
from tests.identity.pki import header
from tests.servers.needs import NotHere, absent
from tests.servers.simpleca import SimpleCA, ensure_simpleca

pytestmark = [pytest.mark.anyio, pytest.mark.servers, pytest.mark.filterwarnings("ignore::UserWarning")]


class Grid(SimpleCA):
    """The CA, and the service's door to it."""

    def door(self) -> X509Proxies:
        return X509Proxies(CADirectory(self.certificates, look_every=0), VomsDirectory(self.path / "vomsdir"))


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """Without the programs tests are skipped; where CI is set they fail."""
    try:
        ensure_simpleca()
    except NotHere as error:
        absent(error)
    made = Grid(tmp_path_factory.mktemp("grid"))
    made.user("user", "Alice Example")
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
