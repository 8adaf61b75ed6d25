"""Who is a user: names, groups, roles; the configuration; the order in which credentials count."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from argosy.identity import Authenticator, Caller, Evidence, Refused, Role, Scope, SocketPeer
from argosy.identity.cache import Cache, digest
from argosy.identity.gate import Gate, open_gate
from argosy.identity.local import LocalUsers
from argosy.identity.members import Members, Names
from argosy.identity.tokens import TokenStore
from argosy.model import InvalidInput, NotAllowed, Unavailable

pytestmark = pytest.mark.anyio

ME = pwd.getpwuid(os.getuid()).pw_name


class Says(Authenticator):
    """Says what it was told to."""

    def __init__(self, answer: Caller | Refused | None, *, implicit: bool = False) -> None:
        self.answer = answer
        self.implicit = implicit

    @classmethod
    def from_config(cls, options: Mapping[str, Any], directory: Path) -> Self:
        raise NotImplementedError

    async def authenticate(self, evidence: Evidence) -> Caller | None:
        if isinstance(self.answer, Refused):
            raise self.answer
        return self.answer


ALICE = Caller("/O=Grid/CN=Alice", groups=frozenset({"/labvo"}), scopes=frozenset({Scope.READ}))
EVERYBODY = Members("owner", users=Names(("*",)))


async def test_the_first_that_knows_a_credential_decides() -> None:
    refused = Refused("expired", "it has expired")
    assert await Gate([Says(None), Says(ALICE), Says(refused)], EVERYBODY).identify(Evidence()) == ALICE
    with pytest.raises(Refused):
        await Gate([Says(refused), Says(ALICE)], EVERYBODY).identify(Evidence())
    assert await Gate([Says(None)], EVERYBODY).identify(Evidence()) is None


async def test_a_wrong_token_does_not_fall_back_on_the_socket() -> None:
    gate = Gate([Says(None), Says(ALICE, implicit=True)], EVERYBODY)
    assert await gate.identify(Evidence()) == ALICE
    assert await gate.identify(Evidence({"authorization": "Bearer wrong"})) is None


@pytest.mark.parametrize(
    ("members", "roles"),
    [
        (Members("owner"), None),
        (Members("/O=Grid/CN=Alice"), {Role.USER}),
        (Members("owner", users=Names(("/O=Grid/CN=Alice",))), {Role.USER}),
        (Members("owner", users=Names(("/O=Grid/CN=A*",))), {Role.USER}),
        (Members("owner", users=Names(("/O=Grid/CN=Al",))), None),
        (Members("owner", users=Names(("/labvo",))), None),
        (Members("owner", users=Names(groups=("/labvo",))), {Role.USER}),
        (Members("owner", users=Names(groups=("/O=Grid/CN=Alice",))), None),
        (Members("owner", users=Names(groups=("/lab",))), None),
        (Members("owner", operators=Names(groups=("/labvo",))), {Role.OPERATOR}),
        (Members("owner", users=Names(("*",)), administrators=Names(("*",))), {Role.USER, Role.ADMINISTRATOR}),
    ],
)
def test_members(members: Members, roles: set[Role] | None) -> None:
    if roles is None:
        with pytest.raises(NotAllowed, match="/O=Grid/CN=Alice is no user"):
            members.admit(ALICE)
        assert members.admit(ALICE, granted=True).roles == {Role.USER}
    else:
        admitted = members.admit(ALICE)
        assert admitted.roles == roles
        assert (admitted.name, admitted.scopes) == (ALICE.name, ALICE.scopes)


async def test_local_users(tmp_path: Path) -> None:
    local = LocalUsers.from_config({}, tmp_path)
    found = await local.authenticate(Evidence(socket=SocketPeer(1, os.getuid(), os.getgid())))
    assert found is not None
    assert (found.name, found.method) == (ME, "local")
    assert await local.authenticate(Evidence()) is None
    with pytest.raises(Refused):
        await local.authenticate(Evidence(socket=SocketPeer(1, 4_000_000_000, 1)))


async def test_the_configuration(tmp_path: Path) -> None:
    assert open_gate({}, tmp_path, "owner") is None
    assert open_gate({"users": ["alice"]}, tmp_path, "owner") is None
    gate = open_gate({"local": {}, "tokens": {}, "administrators": [ME]}, tmp_path, "owner")
    assert gate is not None
    token, _ = TokenStore(tmp_path).create("alice", lifetime=60)
    alice = await gate.identify(Evidence({"authorization": f"Bearer {token}"}, socket=SocketPeer(1, os.getuid(), 0)))
    assert alice is not None
    assert (alice.name, alice.roles) == ("alice", {Role.USER})
    me = await gate.identify(Evidence(socket=SocketPeer(1, os.getuid(), 0)))
    assert me is not None
    assert me.roles == {Role.ADMINISTRATOR}
    await gate.close()


@pytest.mark.parametrize(
    ("config", "element"),
    [
        ({"users": "alice"}, "identity.users"),
        ({"nobody": []}, None),
        ({"kerberos": {}}, "identity.kerberos"),
        ({"tokens": {"x": 1}}, "identity.tokens"),
        ({"local": {"x": 1}}, "identity.local"),
        ({"x509": {"skew": -1}}, "identity.x509.skew"),
        ({"x509": {"ca_directory": 1}}, "identity.x509.ca_directory"),
    ],
)
def test_what_is_wrong_in_the_configuration(tmp_path: Path, config: dict[str, Any], element: str | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_gate(config, tmp_path, "owner")
    if element is not None:
        assert caught.value.element == element


def test_a_ca_directory_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nowhere"):
        open_gate({"x509": {"ca_directory": str(tmp_path / "nowhere")}}, tmp_path, "owner")


def test_the_cache_forgets() -> None:
    cache: Cache[str] = Cache(2)
    cache.put(b"a", "A", 10, 1)
    assert cache.get(b"a", 9.9, 1) == "A"
    assert cache.get(b"a", 10, 1) is None
    cache.put(b"a", "A", 10, 1)
    assert cache.get(b"a", 5, 2) is None
    cache.put(b"a", "A", 10, 1)
    cache.put(b"b", "B", 10, 1)
    assert cache.get(b"a", 5, 1) == "A"
    cache.put(b"c", "C", 10, 1)
    assert (cache.get(b"b", 5, 1), cache.get(b"a", 5, 1), len(cache)) == (None, "A", 2)
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
