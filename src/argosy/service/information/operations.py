"""The operations that tell of the service itself."""

from __future__ import annotations

from argosy.identity.policy import Operation, Reach
from argosy.languages.glue2 import Document
from argosy.service.caller import Caller
from argosy.service.contract import Operations
from argosy.service.reaching import demand

from .capabilities import Capabilities
from .inquiry import Extent, Inquiry
from .published import Published


class InformationOperations(Operations):
    """The part of the service that `Inquiry` does."""

    inquiry: Inquiry

    async def information(self, caller: Caller, extent: Extent, published: Published) -> Document:
        everybodys = demand(caller, Operation.INFORMATION) is Reach.ANY
        return await self.inquiry.document(None if everybodys else caller.name, extent, published)

    async def capabilities(self, caller: Caller) -> Capabilities:
        demand(caller, Operation.CAPABILITIES)
        return self.inquiry.capabilities()
