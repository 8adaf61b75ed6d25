"""Credentials through the real service: the REST interface, the command, and other people's tools."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client, discover
from argosy.delegation.proxies import sign
from argosy.languages.documents_credentials import NewCredential
from argosy.model import ArgosyError
from tests.identity.pki import header, make_proxy
from tests.service.running import until
from tests.tls.conftest import SHORT, Secure, secure_service, user


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    more = '[credentials]\nmyproxy = ["myproxy.example.org"]\nissuers = ["https://issuer.example.org"]\n'
    made = secure_service(tmp_path_factory.mktemp("delegation"), more=more)
    yield made
    made.service.end()


def environ(service: Secure) -> dict[str, str]:
    return {
        "ARGOSY_URL": service.url,
        "ARGOSY_CA_FILE": str(service.directory / "ca.pem"),
        "ARGOSY_CERTIFICATE": str(service.credential(make_proxy(user(), **SHORT))),
    }


def argosy(service: Secure, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "argosy.cli", *words],
        env={"PATH": "/usr/bin:/bin", "HOME": str(service.directory), **environ(service)},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_proxy_is_delegated_by_the_command(service: Secure) -> None:
    mine = environ(service)["ARGOSY_CERTIFICATE"]
    done = argosy(service, "credential", "delegate", "--proxy", mine, "--name", "staging", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["kind"], made["subject"], made["name"]) == ("proxy", "/O=Grid/CN=Alice", "staging")
    listed = argosy(service, "credential", "list")
    assert made["id"] in listed.stdout
    again = argosy(service, "credential", "delegate", "--proxy", mine, "--renew", made["id"], "--expires", "1h")
    assert again.stdout.split() == [made["id"]]
    assert argosy(service, "credential", "remove", made["id"]).returncode == 0
    assert "no credentials" in argosy(service, "credential", "list").stdout
    gone = argosy(service, "credential", "remove", made["id"])
    assert gone.returncode == 4, gone.stderr


def test_secrets_from_files_and_standard_input(service: Secure, tmp_path: Path) -> None:
    done = argosy(service, "credential", "add", "token", "--file", "-", "--host", "data.example.org", given="t0ken\n")
    assert done.returncode == 0, done.stderr
    keys = tmp_path / "keys.json"
    keys.write_text('{"access_key": "A", "secret_key": "S"}')
    keys.chmod(0o644)
    refused = argosy(service, "credential", "add", "s3", "--file", str(keys), "--host", "*")
    assert "chmod 600" in refused.stderr
    keys.chmod(0o600)
    assert argosy(service, "credential", "add", "s3", "--file", str(keys), "--host", "*").returncode == 0
    keys.write_text("[1]")
    assert "access_key" in argosy(service, "credential", "add", "s3", "--file", str(keys), "--host", "*").stderr
    kinds = [json.loads(line)["kind"] for line in argosy(service, "credential", "list", "--json").stdout.splitlines()]
    assert kinds[-2:] == ["token", "s3"]


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_renewal_is_set_up_by_the_command(service: Secure, tmp_path: Path) -> None:
    token, refresh = private(tmp_path / "token", "t0ken\n"), private(tmp_path / "refresh", "UNMISTAKABLE\n")
    add = ("credential", "add", "token", "--file", token)
    issuer = ("--issuer", "https://issuer.example.org", "--client-id", "argosy", "--scope", "storage.read:/")
    done = argosy(service, *add, *issuer, "--refresh-token", refresh, "--expires", "2h", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["renewed_from"] == "https://issuer.example.org"
    assert "UNMISTAKABLE" not in done.stdout
    for words, said in (
        (("--client-id", "argosy"), "--client-id goes with --issuer"),
        (("--myproxy-user", "alice"), "--myproxy-user goes with --myproxy"),
        (("--issuer", "https://elsewhere.example.org"), "the issuers at which tokens are renewed"),
        ((*issuer, "--refresh-token", refresh), "say when it ends"),
    ):
        refused = argosy(service, *add, *words)
        assert refused.returncode != 0
        assert said in refused.stderr.replace("\n", " "), refused.stderr
    mine = environ(service)["ARGOSY_CERTIFICATE"]
    myproxy = ("--myproxy-user", "alice", "--myproxy-passphrase", refresh)
    elsewhere = argosy(
        service, "credential", "delegate", "--proxy", mine, "--myproxy", "elsewhere.example.org", *myproxy
    )
    assert "the MyProxy servers known here are: myproxy.example.org" in elsewhere.stderr
    if shutil.which("myproxy-logon") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no myproxy-logon")
    own = ("--myproxy", "myproxy.example.org", *myproxy, "--json")
    done = argosy(service, "credential", "delegate", "--proxy", mine, *own)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["renewed_from"] == "myproxy.example.org"
    again = argosy(service, "credential", "delegate", "--proxy", mine, "--renew", made["id"], *own)
    assert json.loads(again.stdout)["renewed_from"] == "myproxy.example.org"


def test_a_secret_is_typed_unseen(service: Secure, tmp_path: Path) -> None:
    token = private(tmp_path / "token", "t0ken\n")
    terminal, other = pty.openpty()
    words = ["--issuer", "https://issuer.example.org", "--client-id", "argosy", "--expires", "2h"]
    command = [sys.executable, "-m", "argosy.cli", "credential", "add", "token", "--file", token, *words]
    process = subprocess.Popen(
        [*command, "--refresh-token", "?"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(service.directory), **environ(service)},
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    seen = b""
    try:
        while b"Refresh token: " not in seen:
            seen += os.read(terminal, 1000)
        # From here on the terminal shows nothing of what is typed.
        until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, 10)
        os.write(terminal, b"UNMISTAKABLE\n")
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while more := os.read(terminal, 1000):
                seen += more
        assert process.wait(30) == 0, seen
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert b"UNMISTAKABLE" not in seen
    assert b"token, until 20" in seen


def test_with_curl_and_openssl(service: Secure, tmp_path: Path) -> None:
    """A signing request that openssl reads, and a chain that openssl verifies."""
    mine = environ(service)["ARGOSY_CERTIFICATE"]

    def curl(*words: str) -> str:
        done = subprocess.run(
            ["curl", "-sS", "--cacert", service.directory / "ca.pem", "-E", mine, *words],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    asked = json.loads(curl("-X", "POST", f"{service.url}/v1/delegations"))
    (tmp_path / "request.pem").write_text(asked["request"])
    read = subprocess.run(
        ["openssl", "req", "-in", tmp_path / "request.pem", "-verify", "-noout", "-text"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "2048 bit" in read.stdout, read.stderr
    chain = tmp_path / "chain.pem"
    chain.write_text(sign(asked["request"], Path(mine).read_bytes(), lifetime=600))
    verified = subprocess.run(
        ["openssl", "verify", "-allow_proxy_certs", "-CAfile", service.directory / "ca.pem", "-untrusted", chain,
         chain],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    done = json.loads(curl("-T", str(chain), f"{service.url}/v1/delegations/{asked['id']}"))
    assert done["subject"] == "/O=Grid/CN=Alice"
    one = json.loads(curl(f"{service.url}/v1/credentials/{asked['id']}"))
    assert one == done


def test_the_proxy_that_came_with_the_request(service: Secure) -> None:
    proxy = {"PROXY": header(make_proxy(user(), **SHORT).file())}
    import httpx

    with httpx.Client(verify=service.context(), base_url=service.url, trust_env=False, timeout=60) as client:
        asked = {"kind": "proxy", "from_request": True}
        made = client.post("/v1/credentials", json=asked, headers=proxy)
        assert made.status_code == 201, made.text
        assert made.json()["subject"] == "/O=Grid/CN=Alice"
        assert client.get(f"/v1/credentials/{made.json()['id']}", headers=proxy).status_code == 200
        own = {"Authorization": f"Bearer {service.token}"}
        assert client.get(f"/v1/credentials/{made.json()['id']}", headers=own).status_code == 404
        wrong = client.post("/v1/credentials", json=asked, headers=own)
        assert (wrong.status_code, wrong.json()["element"]) == (422, "from_request")
        bad = client.post("/v1/credentials", json={"kind": "token", "token": "UNMIST KABLE"}, headers=own)
        assert bad.status_code == 422
        assert "UNMIST" not in bad.text
        wrong = client.put("/v1/delegations/" + made.json()["id"], content=b"x", headers=proxy)
        assert (wrong.status_code, wrong.json()["code"]) == (409, "invalid-state")


def test_they_are_there_after_a_restart(service: Secure) -> None:
    with Client(discover(environ(service))) as client:
        made = client.add_credential(NewCredential(kind="token", token="still-there"))
    service.service.kill()
    service.service.start()
    with Client(discover(environ(service))) as client:
        assert made.id in {one.id for one in client.credentials()}
        client.replace_credential(made.id, NewCredential(kind="token", token="another"))
        client.remove_credential(made.id)
        with pytest.raises(ArgosyError):
            client.remove_credential(made.id)
    key = service.service.directory / "credentials.key"
    assert key.stat().st_mode & 0o777 == 0o600
