"""The service as a process, with every way of authentication switched on."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from argosy.identity import Scope
from argosy.identity.tokens import TokenStore
from tests.identity.issuer import AUDIENCE, Issuer, issuing
from tests.identity.pki import Trust, header, make_ca, make_proxy, make_user, rsa_key
from tests.reading import contents
from tests.service.running import RunningService

ME = pwd.getpwuid(os.getuid()).pw_name


class World:
    """A service, an issuer and a CA that it trusts."""

    def __init__(self, service: RunningService, issuer: Issuer, trust: Trust) -> None:
        self.service = service
        self.issuer = issuer
        self.trust = trust
        self.url = json.loads((service.directory / "endpoint.json").read_text())["url"]

    def ask(self, method: str = "GET", path: str = "/v1/activities", **named: object) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.request(method, self.url + path, **named)

    def create(self, headers: dict[str, str]) -> str:
        answer = self.ask("POST", json={"executable": "/bin/true", "held": True}, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def proxy(self, who: str, **named: object) -> dict[str, str]:
        proxy = make_proxy(make_user(CA, f"/O=Grid/CN={who}", **TODAY), **(TODAY_PROXY | named))
        return {"PROXY": header(proxy.file())}


def _today() -> tuple[dict[str, object], dict[str, object]]:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    return {"begin": now - timedelta(days=1), "end": now + timedelta(days=30)}, {
        "begin": now - timedelta(hours=1),
        "end": now + timedelta(hours=10),
    }


TODAY, TODAY_PROXY = _today()
CA = make_ca(**TODAY)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("identity") / "home"
    home.mkdir(mode=0o700)
    trust = Trust(home.parent / "certificates")
    trust.add(CA)
    with issuing() as issuer:
        (home / "argosy.toml").write_text(
            f"""
            [resources.local]
            type = "local"
            [identity]
            users = ["/O=Grid/CN=Alice*", "/O=Grid/CN=Bob"]
            groups = ["{issuer.url}#/dteam"]
            administrators = ["/O=Grid/CN=Bob"]
            [identity.x509]
            ca_directory = "{trust.path}"
            look_every = 0
            [identity.oidc]
            issuers = ["{issuer.url}"]
            audience = ["{AUDIENCE}"]
            [identity.tokens]
            [identity.local]
            """
        )
        running = RunningService(home)
        running.start()
        yield World(running, issuer, trust)
        running.end()


def own(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {(world.service.directory / 'token').read_text().strip()}"}


def test_the_service_s_own_token_works_as_before(world: World) -> None:
    assert world.ask(headers=own(world)).status_code == 200
    wrong = world.ask(headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert (
        wrong.json()["detail"]
        == "no token that is known here was sent; send the service's as: Authorization: Bearer TOKEN"
    )
    assert world.ask().status_code == 401


def test_owners_are_kept_apart(world: World) -> None:
    alice, other = world.proxy("Alice"), world.proxy("Alice the Second")
    hers, ours = world.create(alice), world.create(other)
    for id, headers, good in ((hers, alice, 200), (hers, other, 404), (ours, other, 200), (ours, alice, 404)):
        assert world.ask(path=f"/v1/activities/{id}", headers=headers).status_code == good
    # Whoever has the service's own token is its administrator.
    assert world.ask(path=f"/v1/activities/{hers}", headers=own(world)).status_code == 200
    listed = world.ask(headers=alice).json()["items"]
    assert hers in {one["id"] for one in listed}
    assert ours not in {one["id"] for one in listed}
    bob = world.proxy("Bob")
    assert world.ask(path=f"/v1/activities/{hers}", headers=bob).status_code == 200
    assert world.ask("DELETE", path=f"/v1/activities/{hers}?terminate=true", headers=bob).status_code == 204
    assert world.ask(path=f"/v1/activities/{hers}", headers=alice).status_code == 404


def test_who_is_no_user_is_not_let_in(world: World) -> None:
    answer = world.ask(headers=world.proxy("Mallory"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    assert "/O=Grid/CN=Mallory" in answer.json()["detail"]
    token = world.issuer.token()
    assert world.ask(headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_a_bad_proxy_is_told_why(world: World) -> None:
    for named, word in (
        ({"signer": rsa_key("stranger")}, "not signed by"),
        ({"end": TODAY["begin"], "begin": TODAY["begin"]}, "expired"),
    ):
        answer = world.ask(headers=world.proxy("Alice", **named))
        assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")
        assert word in answer.json()["detail"]
    answer = world.ask(headers={"PROXY": "garbage"})
    assert answer.status_code == 401
    assert "Base64" in answer.json()["detail"]


def test_a_revocation_is_heeded_by_what_was_verified_before(world: World) -> None:
    user = make_user(CA, "/O=Grid/CN=Alice Revoked", **TODAY)
    headers = {"PROXY": header(make_proxy(user, **TODAY_PROXY).file())}
    assert world.ask(headers=headers).status_code == 200
    world.trust.revoke(CA, (user.cert.serial_number,), begin=TODAY["begin"], end=TODAY["end"])
    answer = world.ask(headers=headers)
    assert (answer.status_code, "revoked" in answer.json()["detail"]) == (401, True)


def test_a_proxy_of_20_kib_comes_through(world: World) -> None:
    proxy = make_proxy(make_user(CA, "/O=Grid/CN=Alice", **TODAY), **TODAY_PROXY)
    file = proxy.file() + CA.pem() * 14
    assert 20_000 < len(header(file)) < 60_000
    assert world.ask(headers={"PROXY": header(file)}).status_code == 200
    assert world.ask(headers={"PROXY": header(proxy.file() + b" " * 50_000)}).status_code in (400, 401, 431)


def test_api_tokens_and_their_scopes(world: World) -> None:
    store = TokenStore(world.service.directory)
    reading, record = store.create("carol", lifetime=60, scopes=[Scope.READ])
    whole, _ = store.create("carol", lifetime=60)
    headers = {"Authorization": f"Bearer {whole}"}
    id = world.create(headers)
    headers = {"Authorization": f"Bearer {reading}"}
    assert world.ask(path=f"/v1/activities/{id}", headers=headers).json()["id"] == id
    for method, path in (
        ("POST", "/v1/activities"),
        ("POST", f"/v1/activities/{id}/terminate"),
        ("DELETE", f"/v1/activities/{id}"),
    ):
        denied = world.ask(method, path, json={"executable": "/bin/true"}, headers=headers)
        assert (denied.status_code, denied.json()["code"]) == (403, "not-allowed"), path
    store.revoke(record.id)
    assert world.ask(headers=headers).status_code == 401


def test_an_issuer_s_token(world: World) -> None:
    token = world.issuer.token(groups=["/dteam"])
    headers = {"Authorization": f"Bearer {token}"}
    id = world.create(headers)
    assert world.ask(path=f"/v1/activities/{id}", headers=headers).status_code == 200
    assert world.ask("POST", f"/v1/activities/{id}/terminate", headers=headers).status_code == 403
    expired = world.issuer.token(groups=["/dteam"], exp=1)
    answer = world.ask(headers={"Authorization": f"Bearer {expired}"})
    assert (answer.status_code, answer.json()["detail"]) == (401, "the token has expired; get a new one")


def test_the_socket_knows_who_connects(world: World) -> None:
    transport = httpx.HTTPTransport(uds=str(world.service.directory / "socket"))
    with httpx.Client(transport=transport, base_url="http://local") as client:
        if ME == "root" or os.getuid() == world.service.directory.stat().st_uid:
            assert client.get("/v1/activities").status_code == 200
        assert client.get("/v1/activities", headers={"Authorization": "Bearer wrong"}).status_code == 401
        # Another connection's credentials count for that connection alone.
    assert world.ask().status_code == 401


def test_no_secret_is_written_down(world: World) -> None:
    """Whatever was sent is neither in the log nor in any file of the service."""
    store = TokenStore(world.service.directory)
    token, _ = store.create("carol", lifetime=60)
    proxy = make_proxy(make_user(CA, "/O=Grid/CN=Alice", **TODAY), **TODAY_PROXY)
    jwt = world.issuer.token(groups=["/dteam"])
    bad = header(make_proxy(make_user(CA, "/O=Grid/CN=Alice", **TODAY), signer=rsa_key("x"), **TODAY_PROXY).file())
    world.create({"PROXY": header(proxy.file())})
    world.create({"Authorization": f"Bearer {token}"})
    world.create({"Authorization": f"Bearer {jwt}"})
    assert world.ask(headers={"PROXY": bad}).status_code == 401
    key = proxy.key_pem().splitlines()[5]
    secrets = [token.encode(), jwt.encode(), key, header(proxy.file()).encode()[1000:1060], bad.encode()[1000:1060]]
    files = dict(contents(world.service.directory.parent))
    assert any(path.name == "argosy.db" for path in files)
    for path, content in files.items():
        for secret in secrets:
            assert secret not in content, path


def test_a_service_does_not_start_with_what_it_cannot_use(tmp_path: Path) -> None:
    from argosy.endpoints.runtime import run_service
    from argosy.model import Unavailable
    from argosy.service.config import load_config

    (tmp_path / "argosy.toml").write_text('[identity.x509]\nca_directory = "/nowhere"\n')
    import asyncio

    with pytest.raises(Unavailable, match="/nowhere"):
        asyncio.run(run_service(load_config(tmp_path), announce=False))
