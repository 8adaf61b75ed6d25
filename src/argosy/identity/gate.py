"""Everybody comes through here: the ways of authentication that are switched on, and then who is a user.

[identity]
users = ["/DC=org/DC=example/CN=Alice Example"]   # and groups, operators, operator_groups, administrators, ...

[identity.x509]         # one section for each way that is switched on: an entry point of `argosy.identity`
ca_directory = "/etc/grid-security/certificates"
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from argosy.model import InvalidInput
from argosy.model.plugins import Broken, registered

from .caller import Caller
from .contract import Authenticator, Evidence, Refused, read_options
from .members import Members, Names, admitted

log = logging.getLogger(__name__)

GROUP = "argosy.identity"


class _Members(Struct, forbid_unknown_fields=True, kw_only=True):
    users: list[str] = []
    groups: list[str] = []
    operators: list[str] = []
    operator_groups: list[str] = []
    administrators: list[str] = []
    administrator_groups: list[str] = []


class Gate:
    """Who sent a request, and in which roles."""

    def __init__(self, authenticators: Sequence[Authenticator], members: Members) -> None:
        """They are asked in this order, and the first that finds a credential of its kind decides."""
        self._authenticators = tuple(authenticators)
        # The same people come again and again, and there may be many patterns.
        self._roles = functools.lru_cache(4096)(members.roles)

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Who it is; None where no credential was sent that anybody here knows.

        Raises Refused for a credential that is not good, NotAllowed for somebody who is no user, and Unavailable where
        it cannot be told now.
        """
        for one in self._authenticators:
            if one.implicit and "authorization" in evidence.headers:
                continue  # whoever sends a credential is who it says, or nobody
            try:
                caller = await one.authenticate(evidence)
            except Refused as refused:
                log.info("refused (%s): %s", refused.reason, refused.message)
                raise
            if caller is not None:
                return admitted(caller, self._roles(caller.name, caller.groups, one.grants))
        return None

    async def close(self) -> None:
        """Let go of what the authenticators hold."""
        for one in self._authenticators:
            await one.close()


def open_gate(config: Mapping[str, Any], directory: Path, owner: str) -> Gate | None:
    """The gate that the section ``[identity]`` describes; None where it switches nothing on.

    `directory` is the service's private one, `owner` the name of the user that it runs as. Raises InvalidInput.
    """
    sections = {name: value for name, value in config.items() if isinstance(value, dict)}
    read = read_options({name: value for name, value in config.items() if name not in sections}, _Members, "")
    members = Members(
        owner,
        Names(tuple(read.users), tuple(read.groups)),
        Names(tuple(read.operators), tuple(read.operator_groups)),
        Names(tuple(read.administrators), tuple(read.administrator_groups)),
    )
    found = registered(GROUP)
    authenticators = []
    for name, options in sections.items():
        if name not in found:
            known = ", ".join(found)
            raise InvalidInput(f"{name!r} is no way of authentication; there are {known}", element=f"identity.{name}")
        try:
            made = found[name].load()
        except Broken as error:
            raise InvalidInput(str(error), element=f"identity.{name}") from error
        if not (isinstance(made, type) and issubclass(made, Authenticator)):
            raise InvalidInput(f"{found[name].value} is no Authenticator", element=f"identity.{name}")
        authenticators.append(made.from_config(options, directory))
    if not authenticators:
        return None
    # A Unix socket says who connected whatever was sent, so what was sent goes first.
    authenticators.sort(key=lambda one: one.implicit)
    return Gate(authenticators, members)
