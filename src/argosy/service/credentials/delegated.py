"""An activity's credentials: asked for at its creation, used for its files, given to its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from argosy.delegation import Keeper
from argosy.delegation.keeper import Expired
from argosy.delegation.staged import for_staging
from argosy.languages.native import Description
from argosy.model import ActivityDescription, InvalidInput
from argosy.service.files.transfers import FindCredentials
from argosy.staging import Credentials, Fault, TransferFailed
from argosy.store import Activity, StoredCredential


async def check(keeper: Keeper, owner: str, description: Description) -> None:
    """Raise InvalidInput, with the element, for credentials that are not the owner's, or not good now."""
    if description.credentials:
        await keeper.check(owner, description.credentials)
    elif description.offer_credentials:
        raise InvalidInput("name the credentials that the job is to be given", element="credentials")


class Delegated(FindCredentials):
    """Finds what an activity names of its owner's."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._renewals: Counter[str] = Counter()
        keeper.on_renewed.append(self._renewed)

    def _renewed(self, credential: StoredCredential) -> None:
        self._renewals[credential.owner] += 1

    def renewals(self, owner: str) -> int:
        """Grows each time that one of the owner's credentials gets a new secret."""
        return self._renewals[owner]

    async def __call__(self, activity: Activity, description: ActivityDescription) -> Credentials | None:
        """None where the description names no credential. Raises TransferFailed where one has expired."""
        ids: Sequence[str] = description.credentials
        if not ids:
            return None
        try:
            return for_staging(await self._keeper.open(activity.owner, ids))
        except Expired as error:
            raise TransferFailed(error.message, Fault.CREDENTIAL) from None
