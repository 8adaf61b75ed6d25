"""Who is a user of the service, and in which role: names and groups in the configuration.

Having a good certificate or token makes nobody a user: all that is not allowed here is denied.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from argosy.model import NotAllowed

from .caller import Caller
from .contract import shown
from .patterns import matches
from .policy import Role


@dataclass(frozen=True, slots=True)
class Names:
    """Names of callers and of groups; in the patterns ``*`` is any text and ``?`` any character."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def include(self, name: str, groups: Collection[str]) -> bool:
        """Whether a caller is among them."""
        return any(matches(pattern, name) for pattern in self.users) or any(
            matches(pattern, group) for pattern in self.groups for group in groups
        )


@dataclass(frozen=True, slots=True)
class Members:
    """Users, operators and administrators. `owner` is whom the service runs as: always a user."""

    owner: str
    users: Names = Names()
    operators: Names = Names()
    administrators: Names = Names()

    def roles(self, name: str, groups: frozenset[str], granted: bool = False) -> frozenset[Role]:
        """The roles of somebody; `granted` makes anybody a user."""
        found = set()
        if granted or name == self.owner or self.users.include(name, groups):
            found.add(Role.USER)
        if self.operators.include(name, groups):
            found.add(Role.OPERATOR)
        if self.administrators.include(name, groups):
            found.add(Role.ADMINISTRATOR)
        return frozenset(found)

    def admit(self, caller: Caller, *, granted: bool = False) -> Caller:
        """The caller with its roles. Raises NotAllowed for one who is no user."""
        return admitted(caller, self.roles(caller.name, caller.groups, granted))


def admitted(caller: Caller, roles: frozenset[Role]) -> Caller:
    """The caller with these roles. Raises NotAllowed where it has none."""
    if not roles:
        raise NotAllowed(f"{shown(caller.name, 600)} is no user of this service; its owner can allow it")
    return caller if roles == caller.roles else replace(caller, roles=roles)
