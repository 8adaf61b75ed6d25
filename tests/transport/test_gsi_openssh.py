"""The gsissh transport and the real GSI-OpenSSH: what its stand-in cannot show, the handshake by certificates.

Skipped where GSI-OpenSSH is not installed: make check-gsissh makes it, and so does make test where CI is set.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from argosy.model import Command, Unavailable
from argosy.service.owners.logins import VARIABLES
from argosy.transport import Credential, Transport
from argosy.transport.gsissh import GSISSHTransport
from argosy.transport.shell.backoff import LoginRefused
from tests.servers.accounts import USERS
from tests.servers.gsissh import Gsissh, certify, install, installed
from tests.servers.needs import absent
from tests.servers.simpleca import SimpleCA
from tests.servers.sshd import Sshd, running

pytestmark = [pytest.mark.anyio, pytest.mark.ssh]

A, B = USERS
ALICE = "/O=Grid/OU=argosy/CN=Alice Example"


@pytest.fixture(autouse=True, scope="module")
def real() -> None:
    if installed() is None:
        absent("there is no GSI-OpenSSH: make check-gsissh")


@pytest.fixture
def host(gsissh: Gsissh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sshd, Gsissh]]:
    """A gsisshd of the test's own, which lets Alice in as whoever runs the tests; gsissh finds her proxy."""
    with running(tmp_path / "sshd", UsePAM="yes") as server:
        made = install(tmp_path / "bin", gsissh.grid, server, {ALICE: (server.user_key, server.user)})
        monkeypatch.setenv("PATH", made.path)
        monkeypatch.setenv("X509_USER_PROXY", str(made.proxy("alice", tmp_path / "proxy")))
        yield server, made


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> SimpleCA:
    """Another CA, which nobody has heard of."""
    grid = SimpleCA(tmp_path_factory.mktemp("strangers"), "Strange CA")
    certify(grid, "gsisshd", "localhost")
    return grid


@asynccontextmanager
async def to(
    gsissh: Gsissh, url: str | None = None, *, credential: Credential | None = None, delegate: bool = False
) -> AsyncIterator[Transport]:
    transport = GSISSHTransport(url or gsissh.url, config=gsissh.config, credential=credential, delegate=delegate)
    try:
        yield transport
    finally:
        await transport.close()


async def prints(transport: Transport, script: str) -> str:
    done = await transport.run(Command(("sh", "-c", script)), timeout=30)
    assert done.returncode == 0, done
    return done.stdout


async def refusal(gsissh: Gsissh, url: str | None = None) -> str:
    async with to(gsissh, url) as transport:
        with pytest.raises(LoginRefused) as caught:
            await transport.run(Command(("true",)), timeout=30)
        return caught.value.message


def restart(server: Sshd, environ: dict[str, str] | None = None, **options: object) -> None:
    server.stop()
    server.environ |= environ or {}
    server.options |= options
    server.start()


@contextmanager
def revoked(grid: SimpleCA, name: str) -> Iterator[None]:
    """The certificate is on the CA's list meanwhile."""
    ca = x509.load_pem_x509_certificate((grid.path / "ca" / "cacert.pem").read_bytes())
    key = load_pem_private_key((grid.path / "ca" / "private" / "cakey.pem").read_bytes(), b"secret")
    cert = x509.load_pem_x509_certificate((grid.path / f"{name}.cert").read_bytes())
    now = datetime.now(UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(cert.serial_number).revocation_date(now - timedelta(hours=1))
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.subject)
    builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=1))
    made = builder.add_revoked_certificate(entry.build()).sign(cast("RSAPrivateKey", key), hashes.SHA256())
    (there,) = grid.certificates.glob("*.signing_policy")
    file = there.with_suffix(".r0")
    file.write_bytes(made.public_bytes(Encoding.PEM))
    try:
        yield
    finally:
        file.unlink()


# -- which host -------------------------------------------------------------------------------------------------------


async def test_a_host_is_believed_for_its_certificate_without_a_known_key(host: tuple[Sshd, Gsissh]) -> None:
    server, gsissh = host
    server.known_hosts.write_text("")
    async with to(gsissh) as transport:
        assert await prints(transport, "echo x") == "x\n"
    assert "Accepted gssapi-keyex" in (server.directory / "log").read_text()


async def test_a_host_with_a_certificate_of_another_name(host: tuple[Sshd, Gsissh]) -> None:
    server, gsissh = host
    certify(gsissh.grid, "elsewhere", "elsewhere.example.org")
    restart(
        server,
        {
            "X509_USER_CERT": f"{gsissh.grid.path}/elsewhere.cert",
            "X509_USER_KEY": f"{gsissh.grid.path}/elsewhere.key",
        },
    )
    said = await refusal(gsissh)
    assert "there is not believed to be that host, by its certificate: " in said
    assert "host@elsewhere.example.org" in said


async def test_a_host_with_a_certificate_of_an_unknown_ca(host: tuple[Sshd, Gsissh], strangers: SimpleCA) -> None:
    server, gsissh = host
    restart(
        server,
        {
            "X509_CERT_DIR": str(strangers.certificates),
            "X509_USER_CERT": f"{strangers.path}/gsisshd.cert",
            "X509_USER_KEY": f"{strangers.path}/gsisshd.key",
        },
    )
    assert "there is not believed to be that host, by its certificate: " in await refusal(gsissh)


@pytest.mark.parametrize("exchange", ["yes", "no"])
async def test_a_host_that_does_not_know_our_ca(
    host: tuple[Sshd, Gsissh], strangers: SimpleCA, exchange: str, tmp_path: Path
) -> None:
    server, gsissh = host
    gsissh.configure(f"GSSAPIKeyExchange {exchange}")
    restart(server, {"X509_CERT_DIR": str(strangers.certificates)})
    said = await refusal(gsissh)
    assert "there does not let you in: " in said
    if exchange == "yes":  # otherwise it does not say why
        assert "Untrusted self-signed certificate" in said


async def test_a_host_that_exchanges_no_keys_by_certificates_must_be_known(host: tuple[Sshd, Gsissh]) -> None:
    server, gsissh = host
    restart(server, GSSAPIKeyExchange="no")
    async with to(gsissh) as transport:
        assert await prints(transport, "echo x") == "x\n"
    assert "Accepted gssapi-with-mic" in (server.directory / "log").read_text()
    server.known_hosts.write_text("")
    assert "the host key of there is not known" in await refusal(gsissh)


# -- as whom ----------------------------------------------------------------------------------------------------------


async def test_the_account_is_that_of_the_certificate(host: tuple[Sshd, Gsissh], accounts: None) -> None:
    _, gsissh = host
    (gsissh.directory / "gridmap").write_text(f'"{ALICE}" {A}\n')
    async with to(gsissh) as transport:
        assert await prints(transport, "whoami; echo $HOME") == f"{A}\n/home/{A}\n"
    assert "does not let you in" in await refusal(gsissh, f"gsissh://{B}@there")


async def test_one_of_several_accounts_is_named(host: tuple[Sshd, Gsissh], accounts: None) -> None:
    _, gsissh = host
    (gsissh.directory / "gridmap").write_text(f'"{ALICE}" {A},{B}\n')
    for url, account in ((None, A), (f"gsissh://{B}@there", B)):
        async with to(gsissh, url) as transport:
            assert await prints(transport, "whoami") == f"{account}\n"


async def test_without_key_exchange_the_account_must_be_named(host: tuple[Sshd, Gsissh], accounts: None) -> None:
    server, gsissh = host
    restart(server, GSSAPIKeyExchange="no")
    (gsissh.directory / "gridmap").write_text(f'"{ALICE}" {A}\n')
    assert "the url has to name the account" in await refusal(gsissh)
    async with to(gsissh, f"gsissh://{A}@there") as transport:
        assert await prints(transport, "whoami") == f"{A}\n"


@pytest.mark.parametrize("kind", ["-rfc", "-draft"])
async def test_kinds_of_proxies(host: tuple[Sshd, Gsissh], kind: str) -> None:
    _, gsissh = host
    file = Path(os.environ["X509_USER_PROXY"])
    file.write_bytes(gsissh.grid.proxy(kind, user="alice"))
    async with to(gsissh) as transport:
        assert await prints(transport, "echo x") == "x\n"


async def test_a_proxy_with_attributes_and_its_key_in_the_older_form(host: tuple[Sshd, Gsissh]) -> None:
    _, gsissh = host
    grid, file = gsissh.grid, Path(os.environ["X509_USER_PROXY"])
    certify(grid, "voms", "voms.example.org")
    file.unlink()
    grid.run(
        "voms-proxy-fake", "-rfc", "-cert", grid.path / "alice.cert", "-key", grid.path / "alice.key",
        "-certdir", grid.certificates, "-hostcert", grid.path / "voms.cert", "-hostkey", grid.path / "voms.key",
        "-voms", "labvo", "-uri", "localhost:15000", "-out", file, "-fqan", "/labvo/Role=NULL/Capability=NULL",
    )  # fmt: skip
    first, key, rest = re.split(r"(-----BEGIN (?:RSA )?PRIVATE KEY[^!]*?PRIVATE KEY-----\n)", file.read_text())
    for form in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8):
        pem = load_pem_private_key(key.encode(), None).private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        file.write_text(first + pem + rest)
        async with to(gsissh) as transport:
            assert await prints(transport, "echo x") == "x\n"


async def test_a_certificate_that_was_revoked(host: tuple[Sshd, Gsissh]) -> None:
    _, gsissh = host
    gsissh.grid.user("mallory", "Mallory Example")
    (gsissh.directory / "gridmap").write_text('"/O=Grid/OU=argosy/CN=Mallory Example" root\n')
    Path(os.environ["X509_USER_PROXY"]).write_bytes(gsissh.grid.proxy("-rfc", user="mallory"))
    async with to(gsissh) as transport:
        assert await prints(transport, "echo x") == "x\n"
    with revoked(gsissh.grid, "mallory"):
        said = await refusal(gsissh)
    assert "there does not let you in: " in said
    assert "revoked" in said


class Lent(Credential):
    """A proxy's file, as the service lends it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Mapping[str, str]]:
        yield dict.fromkeys(VARIABLES, str(self._file))

    async def check(self) -> None:
        pass


async def test_an_owners_bad_proxy_lets_nobody_else_in(
    host: tuple[Sshd, Gsissh], accounts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library looks for certificates in several places; this one is the service's own.
    _, gsissh = host
    certify(gsissh.grid, "service", "service.example.org")
    (gsissh.directory / "gridmap").write_text(f'"{ALICE}" {A}\n"/O=Grid/OU=argosy/CN=service.example.org" {B}\n')
    monkeypatch.delenv("X509_USER_PROXY")
    monkeypatch.setenv("X509_USER_CERT", f"{gsissh.grid.path}/service.cert")
    monkeypatch.setenv("X509_USER_KEY", f"{gsissh.grid.path}/service.key")
    async with to(gsissh) as transport:
        assert await prints(transport, "whoami") == f"{B}\n"
    (tmp_path / "empty").touch(mode=0o600)
    for bad in ("nosuch", "empty"):
        async with to(gsissh, credential=Lent(tmp_path / bad)) as transport:
            with pytest.raises(LoginRefused, match="Valid credentials could not be found"):
                await transport.run(Command(("true",)), timeout=30)
    async with to(gsissh, credential=Lent(gsissh.proxy("alice", tmp_path / "good"))) as transport:
        assert await prints(transport, "whoami") == f"{A}\n"


# -- the proxy there, and afterwards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exchange", ["yes", "no"])
async def test_a_proxy_that_is_delegated(host: tuple[Sshd, Gsissh], exchange: str, accounts: None) -> None:
    _, gsissh = host
    gsissh.configure(f"GSSAPIKeyExchange {exchange}")
    (gsissh.directory / "gridmap").write_text(f'"{ALICE}" {A}\n')
    url = f"gsissh://{A}@there"
    async with to(gsissh, url) as transport:
        assert await prints(transport, "echo $X509_USER_PROXY") == "\n"
    async with to(gsissh, url, delegate=True) as transport:
        proxy, owner, identity = (
            await prints(
                transport,
                "echo $X509_USER_PROXY; stat -c '%U %a' $X509_USER_PROXY; grid-proxy-info -identity",
            )
        ).splitlines()
        assert (owner, identity) == (f"{A} 600", ALICE)
    async with asyncio.timeout(10):
        while os.path.exists(proxy):
            await asyncio.sleep(0.05)


async def test_keys_are_exchanged_anew_while_the_proxy_is_there(host: tuple[Sshd, Gsissh], tmp_path: Path) -> None:
    server, gsissh = host
    gsissh.configure("RekeyLimit 1M")
    async with to(gsissh) as transport:
        for _ in range(3):
            await transport.write(f"{tmp_path}/f", bytes(1_500_000))
    assert (server.directory / "log").read_text().count("Accepted ") == 1


async def test_a_login_is_made_again_where_keys_cannot_be_exchanged_anew(
    host: tuple[Sshd, Gsissh], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, gsissh = host
    gsissh.configure("RekeyLimit 1M")
    async with to(gsissh) as transport:
        await prints(transport, "true")
        proxy = Path(os.environ["X509_USER_PROXY"])
        whole = proxy.read_bytes()
        proxy.unlink()
        with pytest.raises(Unavailable):
            await transport.write(f"{tmp_path}/f", bytes(3_000_000))
        proxy.touch(mode=0o600)
        proxy.write_bytes(whole)
        assert await prints(transport, "echo x") == "x\n"
    assert (server.directory / "log").read_text().count("Accepted ") == 2


async def test_keys_that_are_not_exchanged_by_gsi_need_no_proxy_for_it(
    host: tuple[Sshd, Gsissh], tmp_path: Path
) -> None:
    server, gsissh = host
    restart(server, RekeyLimit="default 1s")
    gsissh.configure("GSSAPIKeyExchange no")
    async with to(gsissh) as transport:
        await prints(transport, "true")
        Path(os.environ["X509_USER_PROXY"]).unlink()
        assert await prints(transport, "sleep 1.5; echo; sleep 1.5; echo x") == "\nx\n"
    assert (server.directory / "log").read_text().count("Accepted ") == 1
