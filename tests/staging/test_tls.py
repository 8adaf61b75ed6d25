"""Servers and clients with certificates: whom we believe, and who believes us."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from argosy.staging import Credentials, Fault, Fetch, Push, Staging, TransferFailed
from tests.servers import daemons
from tests.servers.needs import NotHere, absent
from tests.servers.simpleca import SimpleCA, ensure_simpleca

pytestmark = [pytest.mark.anyio, pytest.mark.servers]
Make = Callable[..., Staging]
DATA = os.urandom(6_000_000)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> SimpleCA:
    try:
        ensure_simpleca()
    except NotHere as error:
        absent(error)
    made = SimpleCA(tmp_path_factory.mktemp("ca"))
    made.user("user", "Alice Example")
    made.certificate(
        "host", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    return made


async def test_https_with_client_certificates(make: Make, ca: SimpleCA, session: Path) -> None:
    anchor = ca.path / "ca/cacert.pem"
    with daemons.nginx(tls=(ca.path / "host.cert", ca.path / "host.key"), client_ca=anchor) as server:
        (server.data / "f").write_bytes(DATA)
        source = (f"{server.url}/f",)
        alice = Credentials(certificate=(ca.path / "user.cert").read_text() + (ca.path / "user.key").read_text())
        for certificate, options, fault in (
            (alice, {}, Fault.REFUSED),  # whose certificate the server's is nobody knows
            (None, {"ca_file": str(anchor)}, None),
        ):
            with pytest.raises(TransferFailed) as caught:
                await make(attempts=1, **options).fetch(Fetch(str(session), "in", source, credentials=certificate))
            assert fault is None or caught.value.fault is fault, caught.value.message
        staging = make(ca_file=str(anchor))
        await staging.fetch(Fetch(str(session), "in", source, credentials=alice))
        assert (session / "in").read_bytes() == DATA
        target = server.url.replace("https", "davs") + "/new/g"
        (done,) = await staging.push(Push(str(session), "in", (target,), credentials=alice))
        assert done.error is None
        assert (server.data / "new/g").read_bytes() == DATA


async def test_ftps(make: Make, ca: SimpleCA, session: Path) -> None:
    with daemons.vsftpd(tls=(ca.path / "host.cert", ca.path / "host.key")) as server:
        (session / "out").write_bytes(DATA)
        target = f"{server.url}/sub/g"
        (refused,) = await make(attempts=1).push(Push(str(session), "out", (target,)))
        assert "not trusted" in (refused.error or "")
        staging = make(ca_file=str(ca.path / "ca/cacert.pem"))
        (done,) = await staging.push(Push(str(session), "out", (target,)))
        assert done.error is None
        assert (server.data / "sub/g").read_bytes() == DATA
        await staging.fetch(Fetch(str(session), "in", (target,), size=len(DATA)))
        assert (session / "in").read_bytes() == DATA
