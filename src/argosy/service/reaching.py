"""Whether a caller may ask for an operation, and how far it reaches."""

from __future__ import annotations

from argosy.identity.policy import Operation, Reach, reach
from argosy.model import NotAllowed

from .caller import Caller


def demand(caller: Caller, operation: Operation) -> Reach:
    """Whose activities the caller's operation may concern. Raises NotAllowed where it may not be asked for at all."""
    found = reach(operation, caller.roles, caller.scopes)
    if found is Reach.NONE:
        why = "the role" if caller.scopes is None else "the scope or the role"
        raise NotAllowed(f"{operation.value} is not allowed: {why} for it is missing")
    return found
