"""Services that speak https, with certificates of a CA of the tests' own."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from tests.identity.pki import Pair, Trust, issue, make_ca, make_user, rsa_key, usage
from tests.service.running import RunningService

NOW = datetime.now(UTC)
LONG = {"begin": NOW - timedelta(days=1), "end": NOW + timedelta(days=30)}
SHORT = {"begin": NOW - timedelta(hours=1), "end": NOW + timedelta(hours=10)}
CA = make_ca(**LONG)


def host(name: str = "localhost", **named: object) -> Pair:
    """A server's certificate for this machine."""
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    return issue(
        f"/O=Grid/CN={name}",
        CA,
        rsa_key("host"),
        extensions=((names, False), (usage(digital_signature=True), True)),
        **(LONG | named),
    )


def lay(pair: Pair, directory: Path, name: str) -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    cert.write_bytes(pair.pem() + b"".join(one.pem() for one in pair.above()))
    key.write_bytes(pair.key_pem())
    key.chmod(0o600)
    return cert, key


def user(name: str = "Alice", **named: object) -> Pair:
    return make_user(CA, f"/O=Grid/CN={name}", **(LONG | named))


class Secure:
    """A service with a certificate; `directory` is for the tests' own files."""

    def __init__(self, service: RunningService, directory: Path, trust: Trust) -> None:
        self.service = service
        self.directory = directory
        self.trust = trust

    @property
    def url(self) -> str:
        return str(json.loads((self.service.directory / "endpoint.json").read_text())["url"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def token(self) -> str:
        return (self.service.directory / "token").read_text().strip()

    def context(self, credential: Path | None = None) -> ssl.SSLContext:
        """A client's, with a certificate of its own in a file."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        if credential is not None:
            context.load_cert_chain(credential)
        return context

    def ask(self, credential: Path | None = None, path: str = "/v1/activities", **named: object) -> httpx.Response:
        with httpx.Client(verify=self.context(credential), trust_env=False, timeout=60) as client:
            return client.get(self.url + path, **named)

    def credential(self, pair: Pair, name: str = "credential") -> Path:
        path = self.directory / f"{name}.pem"
        path.write_bytes(pair.file())
        path.chmod(0o600)
        return path


def secure_service(directory: Path, more: str = "", x509: str = "", *, fresh: bool = False) -> Secure:
    """One that is started already; `more` and `x509` go into its configuration."""
    home = directory / "home"
    home.mkdir(mode=0o700)
    trust = Trust(directory / "certificates")
    trust.add(CA)
    (directory / "ca.pem").write_bytes(CA.pem())
    cert, key = lay(host(), directory, "host")
    (home / "argosy.toml").write_text(
        f"""
        [resources.local]
        type = "local"
        [tls]
        cert = "{cert}"
        key = "{key}"
        client_ca = "{trust.path}"
        [identity]
        users = ["/O=Grid/CN=Alice*"]
        [identity.x509]
        look_every = 0
        {x509}
        {more}
        """
    )
    service = RunningService(home)
    service.fresh = fresh
    service.start()
    return Secure(service, directory, trust)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    made = secure_service(tmp_path_factory.mktemp("tls"))
    yield made
    made.service.end()
