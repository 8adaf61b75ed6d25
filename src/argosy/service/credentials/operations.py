"""The operations on credentials: whoever may ask is let through to the keeper."""

from __future__ import annotations

from argosy.delegation import Keeper
from argosy.identity.policy import Operation
from argosy.languages.documents_credentials import DelegationRequest, NewCredential
from argosy.service.caller import Caller
from argosy.service.contract import Operations
from argosy.service.reaching import demand
from argosy.store import StoredCredential


class CredentialOperations(Operations):
    """The part of the service that `Keeper` does."""

    keeper: Keeper

    async def credentials(self, caller: Caller) -> list[StoredCredential]:
        demand(caller, Operation.CREDENTIALS)
        return await self.keeper.listed(caller)

    async def add_credential(self, caller: Caller, new: NewCredential) -> StoredCredential:
        demand(caller, Operation.ADD_CREDENTIAL)
        return await self.keeper.add(caller, new)

    async def replace_credential(self, caller: Caller, id: str, new: NewCredential) -> StoredCredential:
        demand(caller, Operation.REPLACE_CREDENTIAL)
        return await self.keeper.replace(caller, id, new)

    async def remove_credential(self, caller: Caller, id: str) -> None:
        demand(caller, Operation.REMOVE_CREDENTIAL)
        await self.keeper.remove(caller, id)

    async def request_delegation(self, caller: Caller, asked: DelegationRequest) -> tuple[str, str]:
        demand(caller, Operation.REQUEST_DELEGATION)
        record, request = await self.keeper.request(
            caller, name=asked.name, renewal=asked.renewal, credential=asked.credential
        )
        return record.id, request

    async def finish_delegation(self, caller: Caller, id: str, chain: str) -> StoredCredential:
        demand(caller, Operation.FINISH_DELEGATION)
        return await self.keeper.finish(caller, id, chain)
