"""Which account a caller has."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.accounts.config import open_accounts
from argosy.accounts.mapping import AccountMap, Accounts, Rule, read_gridmap
from argosy.identity import Caller
from argosy.model import InvalidInput, NotAllowed, Unavailable

pytestmark = pytest.mark.anyio

ALICE = Caller("/O=Grid/CN=Alice", method="x509", groups=frozenset({"/dteam/prod"}))
NOBODY = next(entry for entry in pwd.getpwall() if entry.pw_uid >= 1000)


def test_rules_come_first_and_in_their_order() -> None:
    rules = [Rule("a", name="/O=Other/*"), Rule("b", name="/O=Grid/*", group="/atlas*"), Rule("c", group="/dteam/*")]
    both = AccountMap([*rules, Rule("d", name="*")], {"/O=Grid/CN=Alice": "e"})
    assert both.of(ALICE) == "c"
    assert AccountMap(rules[:2], {"/O=Grid/CN=Alice": "e"}).of(ALICE) == "e"
    assert AccountMap(rules[:2]).of(ALICE) is None
    assert AccountMap([Rule("x")]).of(ALICE) is None


def test_own_accounts_are_for_those_whom_the_socket_vouches_for() -> None:
    assert AccountMap(own=True).of(Caller("carol", method="local")) == "carol"
    # A token's subject of that name is somebody else.
    assert AccountMap(own=True).of(Caller("carol", method="api-token")) is None


def test_a_gridmap() -> None:
    text = '# comment\n\n"/O=Grid/CN=Al \\"x\\" Ice" alice,other\n/O=Grid/CN=Bob bob\n"/O=Grid/CN=Bob" second\n'
    assert read_gridmap(text) == {'/O=Grid/CN=Al "x" Ice': "alice", "/O=Grid/CN=Bob": "bob"}


@pytest.mark.parametrize(
    "line", ['"/O=Grid/CN=Alice', '"/O=Grid/CN=A" root;x', "/O=Grid/CN=A", '"/O=A" -oProxyCommand']
)
def test_a_gridmap_that_is_wrong_names_the_line(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 2"):
        read_gridmap(f'"/O=Grid" ok\n{line}\n')


@given(st.text())
def test_no_gridmap_raises_anything_else(text: str) -> None:
    try:
        found = read_gridmap(text)
    except InvalidInput:
        return
    assert all(found.values())


async def test_accounts_of_the_system_are_nobody_s(tmp_path: Path) -> None:
    for account in ("root", "daemon", "no-such-account"):
        with pytest.raises(NotAllowed, match=account):
            await Accounts([Rule(account, name="*")]).of(ALICE)
    assert await Accounts([Rule(NOBODY.pw_name, name="*")]).of(ALICE) == NOBODY.pw_name
    with pytest.raises(NotAllowed, match="Alice"):
        await Accounts([Rule(NOBODY.pw_name, name="nobody")]).of(ALICE)


async def test_a_gridmap_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "grid-mapfile"
    accounts = Accounts(gridmap=str(file))
    with pytest.raises(Unavailable, match="cannot be read"):
        await accounts.of(ALICE)
    file.write_text(f'"{ALICE.name}" {NOBODY.pw_name}\n')
    assert await accounts.of(ALICE) == NOBODY.pw_name
    file.write_text('"broken\n')
    assert await accounts.of(ALICE) == NOBODY.pw_name  # as it was, and the log says so
    file.write_text("# nobody any more\n")
    with pytest.raises(NotAllowed):
        await accounts.of(ALICE)


async def test_a_callout(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "callout"
    program.write_text(f"#!/bin/sh\ncat >>{asked}\necho {NOBODY.pw_name}\n")
    program.chmod(0o755)
    accounts = Accounts(callout=str(program))
    assert await accounts.of(ALICE) == NOBODY.pw_name
    assert await accounts.of(ALICE) == NOBODY.pw_name
    assert asked.read_text() == '{"name": "/O=Grid/CN=Alice", "groups": ["/dteam/prod"], "method": "x509"}'
    for script, error in (("exit 3", Unavailable), ("echo 'a b'", Unavailable), (":", NotAllowed)):
        program.write_text(f"#!/bin/sh\n{script}\n")
        with pytest.raises(error):
            await Accounts(callout=str(program)).of(ALICE)


@pytest.mark.parametrize(
    ("options", "element"),
    [
        ({"reach": "sudo"}, "accounts"),
        ({"own": True, "reach": "telepathy"}, "accounts.reach"),
        ({"own": True, "reach": ["sh"]}, "accounts.reach"),
        ({"map": [{"account": "x"}]}, "accounts.map[0]"),
        ({"gridmap": "relative"}, "accounts.gridmap"),
        ({"own": 1}, "accounts.own"),
        ({"unknown": 1}, "accounts"),
    ],
)
def test_a_configuration_that_is_wrong(options: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_accounts(options)
    assert caught.value.element == element


def test_the_command_has_no_shell_in_it() -> None:
    config = open_accounts({"own": True, "reach": ["env", "as={account}", "{agent}"], "agent": "/x/argosy-agent"})
    assert config is not None
    assert config.command("alice") == ["env", "as=alice", "/x/argosy-agent"]
    with pytest.raises(ValueError, match="no account"):
        config.command("-oProxyCommand=x")
    assert open_accounts({}) is None
    assert os.path.isabs(open_accounts({"own": True, "reach": ["env", "{account}"]}).command("a")[0]) is False
