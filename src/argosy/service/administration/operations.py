"""The operations for those who run the service (GES 3.3), and what one caller may have."""

from __future__ import annotations

import logging
from collections.abc import Callable

from argosy.identity.policy import Operation
from argosy.model import clock
from argosy.service.caller import Caller
from argosy.service.contract import Operations
from argosy.service.policy import ServicePolicy
from argosy.service.reaching import demand
from argosy.store import Store

from .administration import Administration
from .admission import Admission, Drain
from .figures import Overview
from .limits import Limits

log = logging.getLogger(__name__)


class AdministrationOperations(Operations):
    """The service's own, over its `_admission` and `_administration`."""

    _store: Store
    _admission: Admission
    _administration: Administration
    _policy: ServicePolicy
    on_stop: Callable[[], None]
    """What ends the process that the service runs in."""

    @property
    def limits(self) -> Limits:
        """What one caller may have at once."""
        return self._admission.limits

    @property
    def notice(self) -> str | None:
        refusal = self._admission.refusal()
        return None if refusal is None else refusal.message

    @property
    def unready(self) -> list[str]:
        return self._administration.unready

    @property
    def policy(self) -> ServicePolicy:
        return self._policy

    async def counts(self, caller: Caller) -> dict[str, int]:
        demand(caller, Operation.COUNTS)
        return await self._store.states(caller.name)

    async def drain(self, caller: Caller, message: str | None = None, retry_after: float = 300.0) -> None:
        demand(caller, Operation.DRAIN)
        await self._admission.close_door(Drain(caller.name, clock.now(), message, retry_after))
        log.info("%s drains the service: %s", caller.name, message)

    async def admit(self, caller: Caller) -> None:
        demand(caller, Operation.ADMIT)
        await self._admission.open_door()
        log.info("%s lets the service take new activities again", caller.name)

    async def overview(self, caller: Caller) -> Overview:
        demand(caller, Operation.OVERVIEW)
        return await self._administration.overview()

    async def stop(self, caller: Caller, within: float = 60.0) -> None:
        demand(caller, Operation.STOP)
        log.info("%s stops the service, within %g s", caller.name, within)
        self._administration.stop(within, lambda: self.on_stop())
