"""API tokens: made, used, ended; what is kept of them; the commands."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from argosy.cli.tokens import token as command
from argosy.identity import Evidence, Refused, Scope
from argosy.identity.tokens import APITokens, TokenStore
from argosy.model import InvalidInput, NotFound, Unavailable

pytestmark = pytest.mark.anyio


def sent(token: str) -> Evidence:
    return Evidence({"authorization": f"Bearer {token}"})


async def test_a_token_is_its_owner_within_its_scopes(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, clock=lambda: 1000.0)
    token, record = store.create("alice", lifetime=60, scopes=[Scope.READ])
    caller = await APITokens(store).authenticate(sent(token))
    assert caller is not None
    assert (caller.name, caller.scopes, caller.expires, caller.method) == ("alice", {Scope.READ}, 1060.0, "api-token")
    whole, _ = store.create("bob", lifetime=60)
    assert (await APITokens(store).authenticate(sent(whole))).scopes is None
    assert next(one.id for one in store.records()) == record.id


async def test_what_is_kept_does_not_let_anybody_in(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    token, record = store.create("alice", lifetime=60)
    path = tmp_path / "tokens.json"
    assert token[len("argosy_") + 13 :] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Refused):
        store.find(f"argosy_{record.id}_{record.sha256[:43]}")
    assert token not in repr(record)


async def test_ended_ones_are_refused_at_once(tmp_path: Path) -> None:
    now = [1000.0]
    store, service = TokenStore(tmp_path), TokenStore(tmp_path, clock=lambda: now[0])
    tokens = APITokens(service)
    short, _ = service.create("alice", lifetime=60)
    long, record = service.create("alice", lifetime=600)
    now[0] = 1060.0
    with pytest.raises(Refused) as caught:
        await tokens.authenticate(sent(short))
    assert caught.value.reason == "expired"
    assert await tokens.authenticate(sent(long)) is not None
    # Another process, as the command is.
    store.revoke(record.id)
    with pytest.raises(Refused) as caught:
        await tokens.authenticate(sent(long))
    assert caught.value.reason == "unknown"
    with pytest.raises(NotFound):
        store.revoke(record.id)


@given(st.text())
async def test_any_other_is_refused_or_not_ours(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tokens = APITokens(TokenStore(tmp_path_factory.getbasetemp() / "none"))
    assert await tokens.authenticate(sent(text)) is None
    with pytest.raises(Refused):
        await tokens.authenticate(sent("argosy_" + text.strip()))


async def test_one_character_less_is_refused(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    token, _ = store.create("alice", lifetime=60)
    for bad in (token[:-1], token + "A", token[:-1] + ("A" if token[-1] != "A" else "B"), token.upper()):
        with pytest.raises(Refused):
            store.find(bad)


def test_tokens_that_cannot_be_made(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    for owner, lifetime, scopes in (("", 60, None), ("a\nb", 60, None), ("a", 0, None), ("a", 60, [])):
        with pytest.raises(InvalidInput):
            store.create(owner, lifetime=lifetime, scopes=scopes)
    assert store.records() == []


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: TokenStore(tmp_path).create(f"user{n}", lifetime=60), range(40)))
    assert {one.owner for one in TokenStore(tmp_path).records()} == {f"user{n}" for n in range(40)}


def test_a_spoilt_file_lets_nobody_in(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    token, _ = store.create("alice", lifetime=60)
    for content in ("", "{", '{"tokens": [{"id": 1}]}', "[]"):
        (tmp_path / "tokens.json").write_text(content)
        with pytest.raises(Unavailable):
            TokenStore(tmp_path).find(token)


def test_the_commands(tmp_path: Path) -> None:
    run = CliRunner()
    where = ["--directory", str(tmp_path)]
    made = run.invoke(command, ["create", "--owner", "alice", "--scope", "compute.read", "--expires", "12h", *where])
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    assert TokenStore(tmp_path).find(token).owner == "alice"
    assert "[identity.tokens]" in made.stderr
    (tmp_path / "argosy.toml").write_text("[identity.tokens]\n")
    assert "[identity.tokens]" not in run.invoke(command, ["create", *where]).stderr
    listed = run.invoke(command, ["list", "--json", *where])
    first, _ = (json.loads(line) for line in listed.stdout.splitlines())
    assert (first["owner"], first["scopes"]) == ("alice", ["compute.read"])
    assert token not in listed.stdout
    assert "alice" in run.invoke(command, ["list", *where]).stdout
    assert run.invoke(command, ["revoke", first["id"], *where]).exit_code == 0
    assert len(TokenStore(tmp_path).records()) == 1
    assert run.invoke(command, ["create", "--expires", "soon", *where]).exit_code == 2
    assert run.invoke(command, ["create", "--scope", "everything", *where]).exit_code == 2
