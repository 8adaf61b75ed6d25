"""The resources behind the service: a driver each, and its shares as they were last seen."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from argosy.executors.contract import Driver
from argosy.model import InvalidInput, Share, Unavailable

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Resource:
    """A cluster, or this machine."""

    name: str
    driver: Driver
    shares: list[Share] = field(default_factory=list)
    """As they were last seen; empty where they never were."""
    why_unknown: str | None = None
    opened: bool = False

    async def refresh(self) -> None:
        """Look at the shares. What was seen last stays where nobody answers."""
        try:
            self.shares = await self.driver.shares()
            self.why_unknown = None
        except Unavailable as error:
            if self.why_unknown is None:
                log.warning("the queues of %s cannot be seen: %s", self.name, error)
            self.why_unknown = error.message


def find_resource(resources: dict[str, Resource], name: str | None) -> Resource:
    """The resource of that name; the first one where none is named."""
    if name is None:
        return next(iter(resources.values()))
    try:
        return resources[name]
    except KeyError:
        known = ", ".join(resources)
        raise InvalidInput(f"there is no resource {name!r} here; there are {known}", element="share") from None
