"""Which local account a caller has: patterns, a grid-mapfile, a callout program, or one for all.

A decision about a name is a pure function (`AccountMap.of`); the file and the program are asked by `Accounts`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.identity.caller import Caller
from argosy.identity.contract import shown
from argosy.identity.patterns import matches
from argosy.model import InvalidInput, NotAllowed, Unavailable

log = logging.getLogger(__name__)

ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)
#: How long a callout may take, and how long its answer is remembered, in seconds.
_CALLOUT = 10.0
_REMEMBERED = 60.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """Callers whose name and groups fit the patterns have this account; an empty pattern fits nobody."""

    account: str
    name: str = ""
    group: str = ""

    def fits(self, caller: Caller) -> bool:
        """Whether it speaks of this caller. Both must fit where both are given."""
        if not (self.name or self.group):
            return False
        return (not self.name or matches(self.name, caller.name)) and (
            not self.group or any(matches(self.group, group) for group in caller.groups)
        )


@dataclass(frozen=True, slots=True)
class AccountMap:
    """Rules first, in their order, then the grid-mapfile; a caller of a local account has that one."""

    rules: Sequence[Rule] = ()
    gridmap: Mapping[str, str] | None = None
    own: bool = False
    """Whether callers whom a Unix socket vouches for have the account that they have."""

    def of(self, caller: Caller) -> str | None:
        """The account; None where nothing says."""
        for rule in self.rules:
            if rule.fits(caller):
                return rule.account
        if self.gridmap is not None and (found := self.gridmap.get(caller.name)) is not None:
            return found
        return caller.name if self.own and caller.method == "local" else None


def read_gridmap(text: str) -> dict[str, str]:
    """A grid-mapfile: on each line a distinguished name in quotes and accounts with commas; the first one counts.

    Raises InvalidInput naming the line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            name, accounts = shlex.split(line, comments=False)
        except ValueError:
            raise InvalidInput(f'line {number} is not "NAME" ACCOUNT: {shown(line)}', element="gridmap") from None
        account = accounts.split(",")[0].strip()
        if not ACCOUNT.fullmatch(account):
            raise InvalidInput(f"line {number}: {shown(account)!r} is no account", element="gridmap")
        found.setdefault(name, account)
    return found


class Accounts:
    """Asks the map, its file as it is now, and the callout; and refuses accounts that nobody may have.

    `least_uid` keeps root and the system's accounts out, whatever the map says. `callout` is a program: it gets the
    caller as JSON and prints an account, or nothing.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        gridmap: str | None = None,
        callout: str | None = None,
        own: bool = False,
        least_uid: int = 1000,
    ) -> None:
        self._rules = tuple(rules)
        self._file = gridmap
        self._callout = callout
        self._own = own
        self._least = least_uid
        self._read: tuple[tuple[int, int, int], dict[str, str]] | None = None
        self._remembered: dict[tuple[str, frozenset[str]], tuple[float, str]] = {}

    async def of(self, caller: Caller) -> str:
        """The caller's account. Raises NotAllowed where there is none, Unavailable where that cannot be told now."""
        gridmap = self._gridmap() if self._file is not None else None
        account = AccountMap(self._rules, gridmap, self._own).of(caller)
        if account is None and self._callout is not None:
            account = await self._called_out(self._callout, caller)
        if account is None:
            raise NotAllowed(f"{shown(caller.name, 600)} has no account on this machine; its owner can map one")
        self._check(account)
        return account

    def _check(self, account: str) -> None:
        try:
            entry = pwd.getpwnam(account)
        except KeyError:
            raise NotAllowed(f"there is no account {account} on this machine") from None
        if entry.pw_uid < max(self._least, 1):
            raise NotAllowed(f"nobody may run jobs as {account}: it is an account of the system")

    def _gridmap(self) -> dict[str, str]:
        assert self._file is not None
        try:
            status = os.stat(self._file)
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, read_gridmap(Path(self._file).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"{self._file} cannot be read: {error}") from error
        except InvalidInput as error:
            if self._read is None:
                raise Unavailable(f"{self._file}: {error.message}") from None
            log.error("%s stays as it was: %s", self._file, error.message)  # noqa: TRY400
        return self._read[1]

    async def _called_out(self, program: str, caller: Caller) -> str | None:
        key = caller.name, caller.groups
        now = asyncio.get_running_loop().time()
        known = self._remembered.get(key)
        if known is not None and known[0] > now:
            return known[1] or None
        question = json.dumps({"name": caller.name, "groups": sorted(caller.groups), "method": caller.method})
        account = await _run(program, question)
        if account and not ACCOUNT.fullmatch(account):
            raise Unavailable(f"{program} answered {shown(account)!r}, which is no account")
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = now + _REMEMBERED, account
        return account or None


async def _run(program: str, question: str) -> str:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(program, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise Unavailable(f"{program} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(_CALLOUT):
            out, err = await process.communicate(question.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Unavailable(f"{program} gave no answer within {_CALLOUT:g} s") from None
    if process.returncode != 0:
        said = shown(err.decode(errors="replace").strip())
        raise Unavailable(f"{program} ended with exit code {process.returncode}: {said}")
    return out.decode("ascii", "replace").strip()
