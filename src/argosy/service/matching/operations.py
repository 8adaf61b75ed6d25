"""The operations on resources: their shares, their environments, a short command on their hosts (GES 3.4, 3.7)."""

from __future__ import annotations

from abc import abstractmethod

from argosy.identity.policy import Operation
from argosy.model import RuntimeEnvironment
from argosy.service.caller import Caller
from argosy.service.contract import CommandOutcome, Operations, ResourceShare
from argosy.service.owners.kept import Kept
from argosy.service.owners.whose import whose
from argosy.service.reaching import demand

from .commands import PATIENCE, limited_command, read_outcome
from .environments import with_shares
from .resources import Resource, find_resource
from .routing import Router


class ResourceOperations(Operations):
    """The part of the service that is about resources."""

    _resources: dict[str, Resource]
    _router: Router
    kept: Kept

    @abstractmethod
    async def _account(self, caller: Caller) -> str | None: ...

    async def run_command(
        self, caller: Caller, resource: str, command: str, *, directory: str | None = None, limit: float = 10.0
    ) -> CommandOutcome:
        demand(caller, Operation.RUN_COMMAND)
        asked = limited_command(command, directory, limit)
        found = find_resource(self._resources, resource)
        found.check_allowed(caller.name, caller.groups)
        async with self.kept.during(caller) as proxy:
            account = await self._account(caller)
            if found.by_owner:
                account = whose(caller.name, () if proxy is None else (proxy,))
            return read_outcome(await found.driver.run(asked, timeout=limit + PATIENCE, account=account))

    async def shares(self, caller: Caller) -> list[ResourceShare]:
        demand(caller, Operation.SHARES)
        return [
            ResourceShare(resource.name, resource.driver.name, share)
            for resource in self._resources.values()
            for share in resource.shares
        ]

    async def environments(self, caller: Caller) -> list[RuntimeEnvironment]:
        demand(caller, Operation.ENVIRONMENTS)
        shares = [(one.resource, one.share.name if one.share else "") for one in self._router.candidates()]
        return [with_shares(one, shares) for one in self._router.environments]
