"""The audit trail: who asked for what, on what, from where, and what came of it; and never a secret."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from argosy.identity import Caller, Operation
from argosy.identity.tokens import TokenStore
from argosy.languages.native import Description
from argosy.model import ArgosyError
from argosy.service.audit import Trail, audited, of_request
from argosy.service.contract import CreateRequest, Operations
from tests.identity.pki import header, make_proxy
from tests.reading import contents
from tests.rest.fake import FakeOperations
from tests.service.driving import told_service
from tests.service.running import until
from tests.tls.conftest import SHORT, Secure, secure_service, user

ALICE = Caller("alice", method="x509")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line]


# -- the file -------------------------------------------------------------------------------------


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(path)
    trail.write({"n": 1})
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "audit.1")
    trail.reopen()
    trail.write({"n": 2})
    path.rename(tmp_path / "audit.2")
    until(lambda: trail.write({"n": 3}) or path.exists())
    trail.close()
    assert [one["n"] for one in lines(tmp_path / "audit.1")] == [1]
    assert lines(tmp_path / "audit.2")[0]["n"] == 2
    assert lines(path)[0]["n"] == 3


def test_names_with_line_ends_stay_on_one_line(tmp_path: Path) -> None:
    trail = Trail(tmp_path / "audit.jsonl")
    with of_request("a-1", "192.0.2.1") as mark:
        trail.write({"who": 'evil\n{"who": "root"}\r\x00\u2028'})
    with of_request("bad id\n", None) as made:
        assert made.id != "bad id\n"
    (line,) = lines(tmp_path / "audit.jsonl")
    assert (line["request"], line["address"]) == (mark.id, "192.0.2.1") == ("a-1", "192.0.2.1")
    assert line["who"].startswith("evil\n")
    trail.close()


def test_names_that_are_no_text_leave_their_line(service: Secure) -> None:
    """A file's name is bytes of any kind: what is done to it is done and told."""
    with httpx.Client(verify=service.context(), base_url=service.url, trust_env=False, timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {service.token}"
        id = client.post("/v1/activities", json={"executable": "true", "held": True}).json()["id"]
        place = f"/v1/activities/{id}/files/d/a%FF%FE"
        assert client.put(place, content=b"here").status_code == 201
        assert client.get(place).content == b"here"
        assert client.get(f"/v1/activities/{id}/files/none%FF").status_code == 404
        assert client.delete(place).status_code == 204
        found = [(one["operation"], one["path"], one["result"]) for one in lines(_trail(service)) if "path" in one]
    assert found[-4:] == [
        ("put_file", r"d/a\xff\xfe", "ok"),
        ("open_file", r"d/a\xff\xfe", "ok"),
        ("open_file", r"none\xff", "not-found"),
        ("delete_file", r"d/a\xff\xfe", "ok"),
    ]


def _trail(service: Secure) -> Path:
    return service.service.directory / "audit.jsonl"


@pytest.mark.anyio
async def test_who_goes_away_before_the_answer_leaves_a_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(path)
    async with told_service(tmp_path / "home") as (service, _):
        operations = audited(service, trail)
        (made,) = await operations.create(ALICE, [CreateRequest(Description(executable="/bin/true", held=True))])
        id = made.activity.id

        async def listen() -> None:
            async for _ in operations.stream(ALICE, [id]):
                raise AssertionError("nothing happens to it")

        async def nothing() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        for asked in (operations.put_file(ALICE, id, "a", nothing()), listen()):
            task = asyncio.create_task(asked)
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    trail.close()
    assert [(one["operation"], one["result"]) for one in lines(path)[1:]] == [("put_file", "cut-off"), ("stream", "ok")]


def test_what_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trail = Trail(tmp_path / "none" / "audit.jsonl")
    trail.write({})
    trail.write({})
    assert caplog.text.count("cannot be written") == 1


# -- operations -----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_every_operation_leaves_a_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(path)
    async with told_service(tmp_path / "home") as (service, _):
        operations = audited(service, trail)
        assert isinstance(operations, Operations)
        (made,) = await operations.create(ALICE, [CreateRequest(Description(executable="/bin/true", held=True))])
        id = made.activity.id
        await operations.status(ALICE, [id, "0" * 32])
        with pytest.raises(ArgosyError):
            await operations.description(Caller("bob"), id)
        async for _ in operations.stream(ALICE, [id], after=0):
            break
        with pytest.raises(ArgosyError):
            await operations.shares(Caller("bob", scopes=frozenset()))
        found = [{k: v for k, v in one.items() if k != "time"} for one in lines(path)]
    trail.close()
    who = {"who": "alice", "how": "x509"}
    bob = {"who": "bob", "how": "own-token"}
    assert found == [
        who | {"operation": "create", "result": "ok", "on": [id]},
        who | {"operation": "status", "on": [id, "0" * 32], "result": {"not-found": 1, "ok": 1}},
        bob | {"operation": "description", "on": [id], "result": "not-found"},
        who | {"operation": "stream", "on": [id], "result": "ok"},
        bob | {"operation": "shares", "result": "not-allowed"},
    ]


def test_no_operation_is_left_out(tmp_path: Path) -> None:
    for operation in Operation:
        assert operation.value in vars(type(audited(FakeOperations(), Trail(tmp_path / "x"))))


# -- a whole service ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    made = secure_service(tmp_path_factory.mktemp("audit"), more="[identity.tokens]\n", fresh=True)
    yield made
    made.service.end()


def test_requests_decisions_and_rotation(service: Secure) -> None:
    path = service.service.directory / "audit.jsonl"
    with httpx.Client(verify=service.context(), base_url=service.url, trust_env=False, timeout=60) as client:
        own = {"Authorization": f"Bearer {service.token}", "X-Request-Id": "from-the-client-1"}
        answer = client.get("/v1/activities", headers=own)
        assert answer.headers["x-request-id"] == "from-the-client-1"
        refused = client.get("/v1/activities", headers={"PROXY": "rubbish"})
        nobody = client.get("/v1/activities")
        mallory = client.get("/v1/shares", headers={"PROXY": header(make_proxy(user("Mallory"), **SHORT).file())})
        found = {one["request"]: one for one in lines(path)}
        assert found["from-the-client-1"].items() >= {"operation": "page", "result": "ok"}.items()
        assert found["from-the-client-1"]["address"] == "127.0.0.1"
        for answer, result in ((refused, "malformed"), (nobody, "no-credential"), (mallory, "not-allowed")):
            line = found[answer.headers["x-request-id"]]
            assert (line["decision"], line["result"]) == ("authentication", result)
        path.rename(path.with_suffix(".1"))
        assert service.service.process is not None
        service.service.process.send_signal(signal.SIGHUP)
        until(lambda: client.get("/v1/shares", headers=own).is_success and path.exists())
    assert all(one["operation"] == "shares" for one in lines(path))


def _everything(service: Secure) -> Iterator[tuple[str, bytes]]:
    """All that somebody could read of the service: files, logs, and what the system shows of its processes."""
    for path, content in contents(service.service.directory):
        yield str(path), content
    for path in service.directory.glob("*.log"):
        yield str(path), path.read_bytes()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield f"{process}/{name}", (process / name).read_bytes()
            except OSError:
                continue


def test_no_secret_is_anywhere_but_where_it_belongs(service: Secure) -> None:
    """Whatever was sent, kept, or used while it was used: files, database, logs, command lines, environments."""
    store = TokenStore(service.service.directory)
    api, _ = store.create("carol", lifetime=600)
    proxy = make_proxy(user(), **SHORT)
    body = proxy.key_pem().splitlines()[3]
    secrets = {
        "api token": api.encode(),
        "key of a proxy": body,
        "kept token": b"UNMISTAKABLE-token",
        "kept password": b"UNMISTAKABLE-word",
        "kept key": b"UNMISTAKABLE-s3",
        "wrong token": b"UNMISTAKABLE-wrong",
        "renewal": b"UNMISTAKABLE-passphrase",
    }
    own = {"Authorization": f"Bearer {service.token}"}
    with httpx.Client(verify=service.context(), base_url=service.url, trust_env=False, timeout=60) as client:
        sent = {"PROXY": header(proxy.file())}
        assert client.post("/v1/credentials", json={"kind": "proxy", "from_request": True}, headers=sent).is_success
        for new in (
            {"kind": "token", "token": "UNMISTAKABLE-token"},
            {"kind": "password", "user": "u", "password": "UNMISTAKABLE-word", "hosts": ["*"]},
            {"kind": "s3", "access_key": "A", "secret_key": "UNMISTAKABLE-s3", "hosts": ["*"]},
        ):
            assert client.post("/v1/credentials", json=new, headers=own).is_success
        refused = client.post(
            "/v1/credentials",
            json={
                "kind": "token",
                "token": "UNMISTAKABLE-token",
                "renewal": {"myproxy": "x", "username": "y", "passphrase": "UNMISTAKABLE-passphrase"},
            },
            headers=own,
        )
        assert refused.status_code == 422
        assert "UNMISTAKABLE" not in refused.text
        assert client.get("/v1/credentials", headers={"Authorization": f"Bearer {api}"}).status_code == 200
        assert client.get("/v1/shares", headers={"Authorization": "Bearer UNMISTAKABLE-wrong"}).status_code == 401
        listed = client.get("/v1/credentials", headers=own).text
        assert "UNMISTAKABLE" not in listed
        job = client.post(
            "/v1/activities", json={"executable": "/bin/sh", "arguments": ["-c", "sleep 1; env"]}, headers=own
        )
        seen = dict(_everything(service))
        client.get(f"/v1/activities/{job.json()['id']}?wait=20", headers=own)
    seen |= dict(_everything(service))
    mine = f"/proc/{os.getpid()}/"
    for what, secret in secrets.items():
        for where, content in seen.items():
            if not where.startswith(mine):
                assert secret not in content, f"the {what} is in {where}"
    own_token = service.token.encode()
    places = [where for where, content in seen.items() if own_token in content]
    assert places == [str(service.service.directory / "token")]


def test_the_trail_costs_little(tmp_path: Path) -> None:
    trail = Trail(tmp_path / "audit.jsonl")
    begun = time.process_time()
    for _ in range(10_000):
        trail.write({"who": "alice", "how": "x509", "operation": "status", "on": ["0" * 32], "result": "ok"})
    assert time.process_time() - begun < 2.0
    trail.close()
    assert subprocess.run(["tail", "-1", tmp_path / "audit.jsonl"], check=True, capture_output=True).stdout
