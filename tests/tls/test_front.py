"""Behind a server that does the handshake and passes the client's certificate on: nginx, and who pretends to be it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from argosy.identity import Evidence, Refused
from argosy.identity.x509 import X509Proxies
from argosy.identity.x509.pem import forwarded
from argosy.model import InvalidInput
from tests.identity.pki import Pair, Trust, make_proxy
from tests.servers import daemons
from tests.servers.needs import need
from tests.service.running import until
from tests.tls.conftest import CA, LONG, SHORT, Secure, host, lay, secure_service, user

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

HEADER = "x-client-certificate"


def door(trust: Trust, *networks: str) -> X509Proxies:
    return X509Proxies.from_config(
        {"ca_directory": str(trust.path), "forwarded_from": list(networks), "look_every": 0}, trust.path
    )


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    made = Trust(tmp_path / "certificates")
    made.add(CA)
    return made


def escaped(*pairs: Pair) -> str:
    return quote("".join(one.pem().decode() for one in pairs), safe="")


async def test_the_header_is_believed_from_one_address_only(trust: Trust) -> None:
    alice = user()
    headers = {HEADER: escaped(alice)}
    believing = door(trust, "127.0.0.1", "2001:db8::/32")
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "2001:db8::7"):
        caller = await believing.authenticate(Evidence(headers, address=address))
        assert caller is not None
        assert caller.name == "/O=Grid/CN=Alice"
    for address in ("127.0.0.2", "::1", "192.0.2.1", "", None, "unix:", "127.0.0.1 "):
        with pytest.raises(Refused, match="before this one only") as caught:
            await believing.authenticate(Evidence(headers, address=address))
        assert caught.value.reason == "forwarded"
    # Where nobody is to be believed, the header is none of ours.
    assert await door(trust).authenticate(Evidence(headers, address="127.0.0.1")) is None


async def test_chains_and_line_ends(trust: Trust) -> None:
    proxy = make_proxy(user(), **SHORT)
    believing = door(trust, "127.0.0.1")
    pem = proxy.pem().decode() + user().pem().decode()
    for value in (quote(pem, safe=""), quote(pem), pem.replace("\n", " "), pem.replace("\n", "\t")):
        caller = await believing.authenticate(Evidence({HEADER: value}, address="127.0.0.1"))
        assert caller is not None
        assert caller.name == "/O=Grid/CN=Alice"


async def test_the_front_s_own_certificate_is_nobody_s(trust: Trust) -> None:
    believing = door(trust, "127.0.0.1")
    for headers in ({}, {HEADER: ""}):
        evidence = Evidence(headers, certificates=user().chain(), address="127.0.0.1")
        assert await believing.authenticate(evidence) is None
    assert await believing.authenticate(Evidence(certificates=user().chain(), address="127.0.0.2")) is not None


async def test_the_same_bytes_as_another_kind_of_evidence_are_judged_anew(trust: Trust) -> None:
    """A certificate that was seen in a handshake gives nobody else anything."""
    believing = door(trust, "127.0.0.1")
    assert await believing.authenticate(Evidence(certificates=user().chain(), address="127.0.0.9")) is not None
    with pytest.raises(Refused):
        await believing.authenticate(Evidence({HEADER: escaped(user())}, address="127.0.0.9"))
    with pytest.raises(Refused):
        await believing.authenticate(Evidence({"proxy": escaped(user())}, address="127.0.0.9"))


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "%",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----- A -----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE----- and more",
        "-----BEGIN CERTIFICATE----- AAAA -----END CERTIFICATE-----" * 30,
        "a" * 500_000,
    ],
)
async def test_rubbish_is_refused(trust: Trust, value: str) -> None:
    with pytest.raises(Refused):
        await door(trust, "127.0.0.1").authenticate(Evidence({HEADER: value}, address="127.0.0.1"))


def test_escaped_twice_is_refused() -> None:
    with pytest.raises(Refused):
        forwarded(quote(escaped(user()), safe=""))


def test_networks_that_are_none(trust: Trust) -> None:
    with pytest.raises(InvalidInput) as caught:
        door(trust, "everybody")
    assert caught.value.element == "identity.x509.forwarded_from"


# -- nginx ----------------------------------------------------------------------------------------


class Front:
    """nginx with a certificate, before a service on the same machine."""

    def __init__(self, directory: Path, secure: Secure) -> None:
        self.secure = secure
        self.port = daemons.free_port()
        cert, key = lay(host(), directory, "front")
        (directory / "logs").mkdir()
        (directory / "nginx.conf").write_text(
            f"""
            daemon off; master_process off; worker_processes 1;
            pid {directory}/pid; error_log {directory}/error.log;
            events {{ worker_connections 64; }}
            http {{
              access_log off;
              client_body_temp_path {directory}/logs/a; proxy_temp_path {directory}/logs/b;
              fastcgi_temp_path {directory}/logs/c; uwsgi_temp_path {directory}/logs/d; scgi_temp_path {directory}/logs/e;
              server {{
                listen 127.0.0.1:{self.port} ssl;
                ssl_certificate {cert}; ssl_certificate_key {key};
                ssl_verify_client optional_no_ca;
                large_client_header_buffers 8 64k;
                location / {{
                  proxy_pass https://127.0.0.1:{secure.port};
                  proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;
                  proxy_http_version 1.1;
                }}
              }}
            }}
            """  # noqa: E501
        )
        with (directory / "nginx.log").open("wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or "nginx", "-p", str(directory), "-c",
                 str(directory / "nginx.conf")],
                stdout=log, stderr=log,
            )  # fmt: skip
        until(self._answers, 20)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    def ask(self, credential: Path | None = None, **headers: str) -> httpx.Response:
        context = self.secure.context(credential)
        with httpx.Client(verify=context, trust_env=False, timeout=60) as client:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.get(f"https://127.0.0.1:{self.port}/v1/activities", headers=sent)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    need("nginx")
    secure = secure_service(tmp_path_factory.mktemp("front"), x509='forwarded_from = ["127.0.0.1"]')
    directory = tmp_path_factory.mktemp("nginx")
    made = Front(directory, secure)
    yield made
    made.process.terminate()
    made.process.wait(20)
    secure.service.end()


def test_nginx_passes_the_client_s_certificate_on(front: Front) -> None:
    assert front.ask(front.secure.credential(user())).status_code == 200
    assert front.ask(front.secure.credential(user("Mallory"), "mallory")).status_code == 403
    assert front.ask().status_code == 401
    assert front.ask(Authorization=f"Bearer {front.secure.token}").status_code == 200


def test_nginx_overwrites_what_a_client_writes_itself(front: Front) -> None:
    mallory = front.secure.credential(user("Mallory"), "mallory")
    assert front.ask(None, X_Client_Certificate=escaped(user())).status_code == 401
    assert front.ask(mallory, X_Client_Certificate=escaped(user())).status_code == 403


def test_a_proxy_in_the_header_comes_through_nginx(front: Front) -> None:
    from tests.identity.pki import header

    assert front.ask(PROXY=header(make_proxy(user(), **SHORT).file())).status_code == 200


def test_directly_the_header_is_refused_from_another_address(front: Front) -> None:
    """This machine has more than one loopback address."""
    transport = httpx.HTTPTransport(verify=front.secure.context(), local_address="127.0.0.5")
    with httpx.Client(transport=transport) as client:
        answer = client.get(front.secure.url + "/v1/activities", headers={HEADER: escaped(user("Alice", **LONG))})
    assert answer.status_code == 401
    assert "before this one only" in answer.json()["detail"]
