"""https as clients see it: Python's ssl, openssl and curl, with certificates and proxies of every kind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from argosy.client import Client, Endpoint, discover
from argosy.endpoints.tls import Certificate, ServerTLS
from argosy.model import ArgosyError, InvalidInput
from argosy.model.user import own_name
from argosy.service.config import load_config
from tests.identity.pki import DRAFT, Pair, make_ca, make_proxy, make_user, rsa_key
from tests.servers.needs import need
from tests.service.running import until
from tests.tls.conftest import CA, LONG, NOW, SHORT, Secure, host, lay, user


def openssl(*words: str | Path, given: str = "") -> str:
    done = subprocess.run(
        ["openssl", *map(str, words)], input=given, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


def test_the_token_over_https(secure: Secure) -> None:
    headers = {"Authorization": f"Bearer {secure.token}"}
    assert secure.url.startswith("https://127.0.0.1:")
    assert secure.ask(headers=headers).status_code == 200
    assert secure.ask().status_code == 401


def test_large_bodies_both_ways(secure: Secure) -> None:
    content = os.urandom(5_000_000)
    headers = {"Authorization": f"Bearer {secure.token}"}
    with httpx.Client(verify=secure.context(), trust_env=False, base_url=secure.url, headers=headers) as client:
        made = client.post("/v1/activities", json={"executable": "/bin/true", "held": True, "inputs": [{"path": "a"}]})
        files = f"/v1/activities/{made.json()['id']}/files/a"
        assert client.put(files, content=content).status_code in (200, 201)
        assert client.get(files).content == content


def test_a_client_on_this_machine_uses_the_socket(secure: Secure) -> None:
    with Client(Endpoint(secure.url, secure.token, str(secure.service.directory / "socket"))) as client:
        assert client.service().name == "Argosy"


def test_our_own_clients_over_https(secure: Secure, tmp_path: Path) -> None:
    where = {"ARGOSY_URL": secure.url, "ARGOSY_CA_FILE": str(secure.directory / "ca.pem")}
    proxy = {"ARGOSY_CERTIFICATE": str(secure.credential(make_proxy(user(), **SHORT)))}
    for known in ({"ARGOSY_TOKEN": secure.token}, proxy):
        with Client(discover(where | known)) as client:
            id = client.submit({"executable": "/bin/true", "held": True}).id
            assert client.status(id).owner == ("/O=Grid/CN=Alice" if known is proxy else own_name())
    with pytest.raises(InvalidInput, match="none"):
        Client(discover(where | {"ARGOSY_CERTIFICATE": str(tmp_path / "none")}))
    unknown = discover({"ARGOSY_URL": secure.url, "ARGOSY_TOKEN": "x"})
    with Client(unknown, retries=0) as client, pytest.raises(ArgosyError, match="certificate verify failed"):
        client.service()


def test_old_protocols_and_plain_http_are_not_spoken(secure: Secure) -> None:
    address = f"127.0.0.1:{secure.port}"
    for old in ("-tls1", "-tls1_1"):
        said = openssl("s_client", "-connect", address, old, "-cipher", "ALL:@SECLEVEL=0")
        assert "Cipher is (NONE)" in said, said
    weak = openssl("s_client", "-connect", address, "-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0")
    assert "Cipher is (NONE)" in weak
    for good in ("-tls1_2", "-tls1_3"):
        assert "Verify return code: 0" in openssl(
            "s_client", "-connect", address, good, "-CAfile", secure.directory / "ca.pem"
        )
    with socket.create_connection(("127.0.0.1", secure.port), 10) as plain:
        plain.sendall(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1 2" not in plain.recv(1000)


def test_rubbish_ends_nothing(secure: Secure) -> None:
    for rubbish in (b"", b"\x16\x03\x01", os.urandom(5000), b"\x16\x03\x01\xff\xff" + b"a" * 100):
        with socket.create_connection(("127.0.0.1", secure.port), 10) as plain:
            plain.sendall(rubbish)
    assert secure.ask(headers={"Authorization": f"Bearer {secure.token}"}).status_code == 200
    assert "Traceback" not in secure.service.log()


def proxies() -> dict[str, Pair]:
    alice = user()
    return {
        "plain": alice,
        "rfc": make_proxy(alice, **SHORT),
        "draft": make_proxy(alice, kind=DRAFT, **SHORT),
        "legacy": make_proxy(alice, kind="legacy", **SHORT),
        "deep": make_proxy(make_proxy(alice, key=rsa_key("first"), **SHORT), key=rsa_key("second"), **SHORT),
        "short-key": make_proxy(alice, key=rsa_key("short", 1024), **SHORT),
    }


@pytest.mark.parametrize("which", list(proxies()))
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_certificates_in_the_handshake(secure: Secure, which: str, version: str) -> None:
    path = secure.credential(proxies()[which])
    ask = "GET /v1/activities HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    said = openssl(
        "s_client", "-connect", f"127.0.0.1:{secure.port}", version, "-cert", path, "-key", path, "-cert_chain", path,
        "-cipher", "DEFAULT:@SECLEVEL=0", "-quiet", "-ign_eof", given=ask,
    )  # fmt: skip
    assert "HTTP/1.1 200 OK" in said, said


STRANGER = make_ca("/O=Grid/CN=Stranger", **LONG)
BAD: dict[str, tuple[Pair, str]] = {
    "limited": (make_proxy(user(), language="1.3.6.1.4.1.3536.1.1.1.9", **SHORT), "limited"),
    "expired": (user(begin=NOW - timedelta(days=9), end=NOW - timedelta(days=2)), "expired"),
    "expired proxy": (make_proxy(user(), begin=NOW - timedelta(days=2), end=NOW - timedelta(days=1)), "expired"),
    "wrong CA": (make_user(STRANGER, "/O=Grid/CN=Alice", **LONG), "not trusted here"),
    "wrong policy": (make_user(CA, "/O=Other/CN=Alice", **LONG), "may not issue"),
    "too long": (
        make_proxy(make_proxy(user(), length=0, key=rsa_key("first"), **SHORT), key=rsa_key("second"), **SHORT),
        "allows 0 proxies",
    ),
    "forged": (make_user(make_ca(key=rsa_key("forger"), **LONG), "/O=Grid/CN=Alice", **LONG), "not signed by"),
    "no issuer": (make_proxy(user(), **SHORT), "missing"),
    "self-signed": (make_ca("/O=Grid/CN=Alice", **LONG), "signed by itself"),
}


@pytest.mark.parametrize("which", list(BAD))
def test_what_the_verifier_refuses_is_told_and_not_a_broken_handshake(secure: Secure, which: str) -> None:
    pair, words = BAD[which]
    path = secure.credential(pair)
    if which == "no issuer":
        path.write_bytes(pair.pem() + pair.key_pem())
    answer = secure.ask(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")
    assert words in answer.json()["detail"], answer.json()["detail"]


def test_revoked_while_the_connection_stays(secure: Secure) -> None:
    alice = user("Alice Revoked")
    with httpx.Client(verify=secure.context(secure.credential(alice)), trust_env=False, timeout=60) as client:
        address = secure.url + "/v1/activities"
        assert client.get(address).status_code == 200
        secure.trust.revoke(alice.issuer or alice, (alice.cert.serial_number,), **LONG)
        try:
            answer = client.get(address)
        finally:
            (secure.trust.path / "0a1b2c3d.r0").unlink()
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]


def test_who_sends_a_token_is_judged_by_that(secure: Secure) -> None:
    path = secure.credential(user())
    assert secure.ask(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    theirs = secure.ask(path, headers={"Authorization": f"Bearer {secure.token}"})
    assert theirs.status_code == 200


def test_a_session_is_not_taken_up_without_its_certificates(secure: Secure, tmp_path: Path) -> None:
    """With OpenSSL a resumed session has lost the chain; so each handshake here is a whole one."""
    path = secure.credential(proxies()["rfc"])
    ask = "GET /v1/activities HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for version in ("-tls1_2", "-tls1_3"):
        words = ["s_client", "-connect", f"127.0.0.1:{secure.port}", version, "-cert", path, "-key", path]
        words += ["-cert_chain", path, "-ign_eof"]
        openssl(*words, "-sess_out", tmp_path / "session", given=ask)
        again = ["-sess_in", tmp_path / "session"] if (tmp_path / "session").exists() else []
        assert "HTTP/1.1 200 OK" in openssl(*words, *again, given=ask)
        (tmp_path / "session").unlink(missing_ok=True)


def test_curl_with_a_proxy(secure: Secure) -> None:
    need("curl")
    path = secure.credential(proxies()["rfc"])
    done = subprocess.run(
        ["curl", "-sS", "--cacert", secure.directory / "ca.pem", "-E", path, f"{secure.url}/v1/activities"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert '"items"' in done.stdout, done.stderr


def _serial(secure: Secure) -> str:
    return ssl.get_server_certificate(("127.0.0.1", secure.port))


def test_a_new_certificate_without_a_restart(secure: Secure) -> None:
    before = _serial(secure)
    renewed = host()
    cert, key = lay(renewed, secure.directory, "next")
    # First the certificate of another key: the old one stays.
    stranger = make_user(STRANGER, "/O=Grid/CN=localhost", key=rsa_key("another"), **LONG)
    (secure.directory / "host.pem").write_bytes(stranger.pem())
    assert secure.service.process is not None
    secure.service.process.send_signal(signal.SIGHUP)
    until(lambda: "the certificate stays" in secure.service.log(), 10)
    assert _serial(secure) == before
    os.replace(key, secure.directory / "host.key")
    os.replace(cert, secure.directory / "host.pem")
    # And without a signal: new connections look at the files.
    until(lambda: _serial(secure) == renewed.pem().decode(), 10)
    assert secure.ask(headers={"Authorization": f"Bearer {secure.token}"}).status_code == 200


def test_files_that_cannot_serve(tmp_path: Path) -> None:
    cert, key = lay(host(), tmp_path, "host")
    for ask in (False, True):
        ServerTLS(Certificate(str(cert), str(key)), ask=ask)
        with pytest.raises(InvalidInput, match="No such file"):
            ServerTLS(Certificate(str(tmp_path / "none"), str(key)), ask=ask)
        locked = tmp_path / "locked.key"
        locked.write_bytes(host().key_pem(password=b"secret"))
        locked.chmod(0o600)
        with pytest.raises(InvalidInput):
            ServerTLS(Certificate(str(cert), str(locked)), ask=ask)
        other = tmp_path / "other.key"
        other.write_bytes(user().key_pem())
        other.chmod(0o600)
        with pytest.raises(InvalidInput, match=r"(?i)mismatch"):
            ServerTLS(Certificate(str(cert), str(other)), ask=ask)
        other.chmod(0o644)
        with pytest.raises(InvalidInput, match="chmod 600"):
            ServerTLS(Certificate(str(cert), str(other)), ask=ask)


def test_other_addresses_need_tls(tmp_path: Path) -> None:
    for listening in ("0.0.0.0", "::", "192.0.2.1", "cluster.example.org"):
        with pytest.raises(InvalidInput, match="--tls-cert") as caught:
            load_config(tmp_path, host=listening)
        assert caught.value.element == "service.host"
        assert load_config(tmp_path, host=listening, without_tls=True).host == listening
        assert load_config(tmp_path, host=listening, tls={"cert": "a", "key": "b"}).tls is not None
    for listening in ("127.0.0.1", "127.8.9.1", "::1", "localhost"):
        assert load_config(tmp_path, host=listening).tls is None
    with pytest.raises(InvalidInput, match="belong together"):
        load_config(tmp_path, tls={"cert": "a"})
    (tmp_path / "argosy.toml").write_text('[identity.x509]\nca_directory = "/elsewhere"\n')
    with pytest.raises(InvalidInput, match="leave one of them out"):
        load_config(tmp_path, tls={"cert": "a", "key": "b", "client_ca": "/here"})
    (tmp_path / "argosy.toml").write_text("")
    switched = load_config(tmp_path, tls={"cert": "a", "key": "b", "client_ca": "/here"})
    assert switched.identity == {"x509": {"ca_directory": "/here"}}
