"""The section ``[accounts]`` of the configuration: which account callers have, and how it is reached.

    [accounts]
    reach = "sudo"                        # or "ssh", or a command as a list in which {account} stands for the account
    gridmap = "/etc/grid-security/grid-mapfile"
    callout = "/usr/local/bin/account-of" # gets {"name", "groups", "method"} as JSON, prints an account or nothing
    own = true                            # who comes through the Unix socket has the account that they have
    least_uid = 1000
    sessions = "{home}/.local/share/argosy/sessions"   # made by the account; compute nodes must see it

    [[accounts.map]]                      # looked at first, in this order
    name = "/DC=org/DC=example/*"
    group = "/dteam/*"
    account = "dteam001"

Without the section everything is done as the account of the service.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from argosy.model import InvalidInput, Unavailable

from .mapping import ACCOUNT, Accounts, Rule

_PROGRAM = "argosy-agent"
_REACH: dict[str, tuple[str, ...]] = {
    # -n: never ask for a password; -H: the account's own home directory.
    "sudo": ("sudo", "-n", "-H", "-u", "{account}", "--", "{agent}"),
    "ssh": ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ForwardX11=no", "{account}@localhost", "{agent}"),
}


class _Rule(Struct, forbid_unknown_fields=True, kw_only=True):
    account: str
    name: str = ""
    group: str = ""


class _Options(Struct, forbid_unknown_fields=True, kw_only=True):
    reach: str | list[str] = "sudo"
    agent: str | None = None
    map: list[_Rule] = []
    gridmap: str | None = None
    callout: str | None = None
    own: bool = False
    least_uid: Annotated[int, Meta(ge=1)] = 1000
    sessions: str = "{home}/.local/share/argosy/sessions"
    idle: Annotated[float, Meta(gt=0)] = 600.0


class AccountsConfig:
    """The section, read. `command` gives what starts the agent of an account, `sessions` where its session directories
    are; `idle` is how long an agent is kept that has nothing to do, in seconds."""

    def __init__(self, accounts: Accounts, reach: tuple[str, ...], agent: str, sessions: str, idle: float) -> None:
        self.accounts = accounts
        self.idle = idle
        self._sessions = sessions
        self._reach = reach
        self._agent = agent

    def sessions(self, account: str) -> str:
        """The directory that the account's session directories are in. Raises Unavailable where it has no home."""
        try:
            home = pwd.getpwnam(account).pw_dir
        except KeyError:
            raise Unavailable(f"there is no account {account} on this machine") from None
        return self._sessions.replace("{home}", home).replace("{account}", account)

    def command(self, account: str) -> list[str]:
        """What starts the agent."""
        if not ACCOUNT.fullmatch(account):
            raise ValueError(f"{account!r} is no account")
        return [word.replace("{account}", account).replace("{agent}", self._agent) for word in self._reach]


def open_accounts(options: Mapping[str, Any]) -> AccountsConfig | None:
    """The section's meaning; None where there is none. Raises InvalidInput naming the element."""
    if not options:
        return None
    try:
        read = msgspec.convert(dict(options), type=_Options)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$.")
        raise InvalidInput(message, element=".".join(filter(None, ("accounts", at.rstrip("`"))))) from None
    for index, rule in enumerate(read.map):
        if not ACCOUNT.fullmatch(rule.account) or not (rule.name or rule.group):
            raise InvalidInput("a rule has an account, and a name or a group", element=f"accounts.map[{index}]")
    if not (read.map or read.gridmap or read.callout or read.own):
        raise InvalidInput("nobody has an account: give map, gridmap, callout or own", element="accounts")
    for name, path in (("gridmap", read.gridmap), ("callout", read.callout), ("agent", read.agent)):
        if path is not None and not os.path.isabs(path):
            raise InvalidInput(f"{path!r} is no absolute path", element=f"accounts.{name}")
    if not read.sessions.startswith(("/", "{home}/")):
        raise InvalidInput("it is an absolute path; {home} and {account} stand for theirs", element="accounts.sessions")
    if isinstance(read.reach, str):
        if read.reach not in _REACH:
            raise InvalidInput(f"{read.reach!r} is no way; there are sudo and ssh", element="accounts.reach")
        reach = _REACH[read.reach]
    else:
        reach = tuple(read.reach)
    if not reach or not any("{account}" in word for word in reach):
        raise InvalidInput("{account} must be in it", element="accounts.reach")
    if shutil.which(reach[0]) is None:
        raise InvalidInput(f"there is no {reach[0]} on PATH", element="accounts.reach")
    accounts = Accounts(
        [Rule(rule.account, rule.name, rule.group) for rule in read.map],
        gridmap=read.gridmap,
        callout=read.callout,
        own=read.own,
        least_uid=read.least_uid,
    )
    agent = read.agent or os.path.join(os.path.dirname(sys.executable), _PROGRAM)
    return AccountsConfig(accounts, reach, agent, read.sessions, read.idle)
