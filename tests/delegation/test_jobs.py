"""Jobs with credentials: servers that want a client's certificate, or a token, and the job's own copies."""

from __future__ import annotations

import functools
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from argosy.client import Client, Endpoint
from argosy.delegation.proxies import sign
from argosy.languages.documents_credentials import DelegationRequest, NewCredential
from argosy.model import ArgosyError, InvalidInput
from tests.identity.pki import make_proxy
from tests.service.running import until
from tests.tls.conftest import CA, SHORT, Secure, host, lay, secure_service, user


class Storage:
    """Web servers on this machine: `https` takes certificates of the tests' CA alone, `http` the token alone."""

    def __init__(self, directory: Path) -> None:
        self.files: dict[str, bytes] = {"/in": b"from the storage"}
        self.token = "good-token"
        self.seen: list[str] = []
        storage = self

        class Handler(BaseHTTPRequestHandler):
            def _let_in(self) -> bool:
                if isinstance(self.connection, ssl.SSLSocket):
                    certificate: Any = self.connection.getpeercert()
                    storage.seen.append("/".join(f"{k}={v}" for part in certificate["subject"] for k, v in part))
                    return True
                return self.headers["authorization"] == f"Bearer {storage.token}"

            def do_GET(self) -> None:
                content = storage.files.get(self.path)
                status = 401 if not self._let_in() else 404 if content is None else 200
                body = content if status == 200 and content is not None else b""
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                good = self._let_in()
                if good:
                    storage.files[self.path] = content
                self.send_response(201 if good else 401)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert, key = lay(host(), directory, "storage")
        context.load_cert_chain(cert, key)
        context.load_verify_locations(cadata=CA.pem().decode())
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_ALLOW_PROXY_CERTS
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
        secure, plain = self._servers
        secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
        self.https = f"https://127.0.0.1:{secure.server_address[1]}"
        self.http = f"http://127.0.0.1:{plain.server_address[1]}"
        self._threads = [threading.Thread(target=one.serve_forever, args=(0.02,)) for one in self._servers]
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.daemon_threads = True
            thread.start()

    def close(self) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage(tmp_path_factory.mktemp("storage"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("jobs")
    made = secure_service(
        directory,
        more=f"""
        [outbound]
        allow = ["127.0.0.0/8"]
        [staging]
        ca_file = "{directory}/ca.pem"
        retry_first = 0.05
        retry_most = 0.2
        """,
    )
    yield made
    made.service.end()


@pytest.fixture
def client(service: Secure) -> Iterator[Client]:
    with Client(Endpoint(service.url, service.token, str(service.service.directory / "socket"))) as made:
        yield made


def delegate(client: Client, lifetime: float = 3600) -> str:
    mine = make_proxy(user(), **SHORT).file()
    return client.delegate(lambda asked: sign(asked, mine, lifetime=lifetime), DelegationRequest()).id


def expire(client: Client, id: str) -> None:
    """Let a token end, soon after this."""
    seconds = 1.0
    while True:
        ends = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        try:
            client.replace_credential(id, NewCredential(kind="token", token="t", expires=ends))
        except InvalidInput:  # it came too late, and has ended already
            seconds *= 2
        else:
            break
    until(lambda: next(one for one in client.credentials() if one.id == id).expired)


def copies(service: Secure, id: str) -> Path:
    return service.service.directory / "sessions" / ".credentials" / id


def test_files_behind_a_server_that_wants_a_certificate(service: Secure, client: Client, storage: Storage) -> None:
    credential = delegate(client)
    job = {
        "executable": "/bin/sh",
        "arguments": ["-c", "cat in > out; echo $X509_USER_PROXY; stat -c %a $X509_USER_PROXY"],
        "inputs": [{"path": "in", "sources": [f"{storage.https}/in"]}],
        "outputs": [{"path": "out", "targets": [f"{storage.https}/out"]}],
        "credentials": [credential],
        "offer_credentials": True,
    }
    done = client.wait(client.submit(job).id, 60)
    assert (done.state, done.exit_code) == ("finished", 0), done
    assert storage.files["/out"] == b"from the storage"
    assert storage.seen
    assert all("commonName=Alice" in one for one in storage.seen)
    out = client.read_file(done.id, "stdout").decode().split()
    assert out == [str(copies(service, done.id) / "x509"), "600"]
    until(lambda: not copies(service, done.id).exists())
    without = client.submit({**job, "credentials": [], "offer_credentials": False}).id
    until(functools.partial(_waits, client, without))
    assert "certificate" in [one.message or "" for one in client.events(without)][-1]
    client.terminate(without)
    assert client.wait(without, 60).state == "terminated"


def _waits(client: Client, id: str) -> bool:
    return "held" in [one.kind for one in client.events(id)]


def test_an_expired_credential_holds_it_until_another_comes(client: Client, storage: Storage) -> None:
    ends = client.add_credential(NewCredential(kind="token", token="t")).id
    bad = client.add_credential(NewCredential(kind="token", token="not-the-token")).id
    jobs = [
        client.submit(
            {
                "executable": "/bin/cat",
                "arguments": ["in"],
                "held": credential == ends,
                "inputs": [{"path": "in", "sources": [f"{storage.http}/in"]}],
                "credentials": [credential],
            }
        ).id
        for credential in (ends, bad)
    ]
    expire(client, ends)
    client.start(jobs[0])
    for id, words in zip(jobs, ("has expired", "401"), strict=True):
        until(functools.partial(_waits, client, id))
        record = client.status(id)
        assert record.state == "running:stage-in:staging"
        assert words in (record.reason or ""), record.reason
    for credential in (ends, bad):
        client.replace_credential(credential, NewCredential(kind="token", token=storage.token))
    for id in jobs:
        assert client.wait(id, 60).state == "finished"


_SCRIPT = 'cat "$BEARER_TOKEN_FILE"; echo; while [ ! -e "$0" ]; do sleep 0.1; done; cat "$BEARER_TOKEN_FILE"'


def test_the_job_s_copy_is_renewed_in_place(service: Secure, client: Client, tmp_path: Path) -> None:
    first = client.add_credential(NewCredential(kind="token", token="first-token")).id
    flag = tmp_path / "go"
    job = client.submit(
        {
            "executable": "/bin/sh",
            "arguments": ["-c", _SCRIPT, str(flag)],
            "credentials": [first],
            "offer_credentials": True,
        }
    ).id
    until(lambda: client.status(job).state == "running:lrms:running")
    stdout = next((service.service.directory / "sessions").glob(f"*/{job}/stdout"))
    until(lambda: "first-token" in stdout.read_text())
    assert (copies(service, job) / "token").stat().st_mode & 0o777 == 0o600
    # Whoever is shown the job's files is not shown its credentials.
    for path in ("../.credentials", f"../.credentials/{job}/token", ".credentials"):
        with pytest.raises(ArgosyError):
            list(client.list_files(job, path))
    client.replace_credential(first, NewCredential(kind="token", token="second-token"))
    until(lambda: (copies(service, job) / "token").read_text() == "second-token")
    service.service.kill()
    # What ends while no service runs is cleared away by the next one.
    flag.touch()
    service.service.start()
    until(lambda: stdout.read_text().endswith("second-token"))
    until(lambda: not copies(service, job).exists())


def test_an_offered_credential_that_has_expired_holds_the_submission(client: Client) -> None:
    """Nothing is tried again and again: it says what it waits for, and goes on with the next one, or is ended."""
    ends = client.add_credential(NewCredential(kind="token", token="t")).id
    job = {"executable": "/bin/sh", "arguments": ["-c", 'cat "$BEARER_TOKEN_FILE"'], "held": True}
    one, other = (client.submit({**job, "credentials": [ends], "offer_credentials": True}).id for _ in range(2))
    expire(client, ends)
    for id in (one, other):
        client.start(id)
        until(functools.partial(_waits, client, id))
        record = client.status(id)
        assert (record.state, record.waiting_for) == ("running:stage-in:staged", "credential")
        assert "has expired" in (record.reason or "")
    client.terminate(other)
    assert client.wait(other, 30).state == "terminated"
    client.replace_credential(ends, NewCredential(kind="token", token="the-next-token"))
    assert client.wait(one, 60).state == "finished"
    assert client.read_file(one, "stdout") == b"the-next-token"
    kinds = [event.kind for event in client.events(one)]
    assert (kinds.count("held"), kinds.count("released"), kinds.count("unavailable")) == (1, 1, 0)


def test_credentials_that_a_description_may_not_name(service: Secure, client: Client) -> None:
    one = client.add_credential(NewCredential(kind="token", token="a")).id
    two = client.add_credential(NewCredential(kind="token", token="b")).id
    for more, element in (
        ({"credentials": ["0" * 16]}, "credentials[0]"),
        ({"credentials": [one, two]}, "credentials[1]"),
        ({"offer_credentials": True}, "credentials"),
        ({"credentials": [""]}, "credentials[0]"),
    ):
        with pytest.raises(ArgosyError) as caught:
            client.submit(json.loads(json.dumps({"executable": "/bin/true", **more})))
        assert caught.value.element == element
    sweep: dict[str, Any] = {
        "description": {"executable": "/bin/echo", "arguments": ["{{x}}"], "credentials": ["0" * 16]},
        "sweep": {"parameter": "x", "values": [1, 2]},
    }
    headers = {"Authorization": f"Bearer {service.token}"}
    refused = httpx.post(f"{service.url}/v1/sweeps", json=sweep, headers=headers, verify=service.context())
    assert (refused.status_code, refused.json()["element"]) == (422, "credentials[0]")
    # A parameter may name them: each is looked at, wherever it comes in the sweep.
    sweep["description"]["credentials"] = ["{{x}}"]
    for values, status in (([one, two], 201), ([one] * 50 + ["0" * 16], 422)):
        sweep["sweep"]["values"] = values
        answer = httpx.post(f"{service.url}/v1/sweeps", json=sweep, headers=headers, verify=service.context())
        assert answer.status_code == status, answer.text
    assert "(job 50 of the sweep)" in answer.json()["detail"]
