"""What callers may do: a table, and one pure function that reads it.

What the table does not allow is denied. The scopes are those of the WLCG Common JWT Profiles for computing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(StrEnum):
    """What somebody is to the service."""

    USER = "user"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Scope(StrEnum):
    """What a credential is good for (WLCG Common JWT Profiles, capability-based authorization)."""

    READ = "compute.read"
    CREATE = "compute.create"
    MODIFY = "compute.modify"
    CANCEL = "compute.cancel"


class Operation(StrEnum):
    """The operations of the service, as `argosy.service.contract.Operations` has them."""

    CREATE = "create"
    START = "start"
    RESTART = "restart"
    CHANGE = "change"
    STATUS = "status"
    DESCRIPTION = "description"
    PAGE = "page"
    EVENTS = "events"
    STREAM = "stream"
    TRANSFERS = "transfers"
    TERMINATE = "terminate"
    PURGE = "purge"
    COUNTS = "counts"
    DRAIN = "drain"
    ADMIT = "admit"
    OVERVIEW = "overview"
    STOP = "stop"
    SHARES = "shares"
    INFORMATION = "information"
    CAPABILITIES = "capabilities"
    ENVIRONMENTS = "environments"
    LIST_FILES = "list_files"
    OPEN_FILE = "open_file"
    PUT_FILE = "put_file"
    DELETE_FILE = "delete_file"
    RUN_COMMAND = "run_command"
    SUBSCRIBE = "subscribe"
    SUBSCRIPTIONS = "subscriptions"
    UNSUBSCRIBE = "unsubscribe"
    ROTATE_SECRET = "rotate_secret"  # noqa: S105 - an operation's name
    DEAD_LETTERS = "dead_letters"
    RESEND = "resend"
    CREDENTIALS = "credentials"
    ADD_CREDENTIAL = "add_credential"
    REPLACE_CREDENTIAL = "replace_credential"
    REMOVE_CREDENTIAL = "remove_credential"
    REQUEST_DELEGATION = "request_delegation"
    FINISH_DELEGATION = "finish_delegation"
    CREATE_SWEEP = "create_sweep"
    SWEEP = "sweep"
    SWEEP_PAGE = "sweep_page"
    SWEEP_DOCUMENT = "sweep_document"
    SWEEP_EVENTS = "sweep_events"
    STREAM_SWEEP = "stream_sweep"
    HOLD_SWEEP = "hold_sweep"
    RELEASE_SWEEP = "release_sweep"
    TERMINATE_SWEEP = "terminate_sweep"
    PURGE_SWEEP = "purge_sweep"
    USAGE = "usage"
    USAGE_RECORDS = "usage_records"


class Reach(IntEnum):
    """Whose activities an operation may concern."""

    NONE = 0
    OWN = 1
    ANY = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """What one operation needs: any one of `scopes`, and for each role how far it reaches."""

    scopes: frozenset[Scope]
    user: Reach
    operator: Reach
    administrator: Reach

    def reach(self, role: Role) -> Reach:
        """How far a role reaches."""
        if role is Role.ADMINISTRATOR:
            return self.administrator
        return self.operator if role is Role.OPERATOR else self.user


_READ = frozenset({Scope.READ})
_CREATE = frozenset({Scope.CREATE})
_MODIFY = frozenset({Scope.MODIFY})
_CANCEL = frozenset({Scope.CANCEL})
#: Uploading an input and letting a held activity go are the rest of creating it.
_CHANGE = frozenset({Scope.CREATE, Scope.MODIFY})
_OWN = (Reach.OWN, Reach.OWN, Reach.OWN)
_OPERATED = (Reach.OWN, Reach.ANY, Reach.ANY)
_RUN = (Reach.NONE, Reach.ANY, Reach.ANY)
_RULED = (Reach.NONE, Reach.NONE, Reach.ANY)
_ADMINISTERED = (Reach.OWN, Reach.OWN, Reach.ANY)

TABLE: Mapping[Operation, Rule] = {
    Operation.CREATE: Rule(_CREATE, *_OWN),
    Operation.START: Rule(_CHANGE, *_OWN),
    Operation.RESTART: Rule(_CHANGE, *_OWN),
    Operation.CHANGE: Rule(_MODIFY, *_OPERATED),
    Operation.STATUS: Rule(_READ, *_OPERATED),
    Operation.DESCRIPTION: Rule(_READ, *_ADMINISTERED),
    Operation.PAGE: Rule(_READ, *_OPERATED),
    Operation.EVENTS: Rule(_READ, *_OPERATED),
    Operation.STREAM: Rule(_READ, *_OWN),
    Operation.TRANSFERS: Rule(_READ, *_OPERATED),
    Operation.TERMINATE: Rule(_CANCEL, *_OPERATED),
    Operation.PURGE: Rule(_CANCEL, *_ADMINISTERED),
    Operation.COUNTS: Rule(_READ, *_OWN),
    Operation.DRAIN: Rule(_MODIFY, *_RUN),
    Operation.ADMIT: Rule(_MODIFY, *_RUN),
    Operation.OVERVIEW: Rule(_READ, *_RUN),
    Operation.STOP: Rule(_MODIFY, *_RULED),
    Operation.SHARES: Rule(_READ, *_OWN),
    Operation.INFORMATION: Rule(_READ, *_OPERATED),
    Operation.CAPABILITIES: Rule(_READ, *_OWN),
    Operation.ENVIRONMENTS: Rule(_READ, *_OWN),
    Operation.LIST_FILES: Rule(_READ, *_ADMINISTERED),
    Operation.OPEN_FILE: Rule(_READ, *_ADMINISTERED),
    Operation.PUT_FILE: Rule(_CHANGE, *_OWN),
    Operation.DELETE_FILE: Rule(_CHANGE, *_OWN),
    # It can do what a job can do; there is nothing of it left that would be anybody's.
    Operation.RUN_COMMAND: Rule(_CREATE, *_OWN),
    Operation.SUBSCRIBE: Rule(_CHANGE, *_OWN),
    Operation.SUBSCRIPTIONS: Rule(_READ, *_OWN),
    Operation.UNSUBSCRIBE: Rule(_CHANGE, *_OWN),
    Operation.ROTATE_SECRET: Rule(_CHANGE, *_OWN),
    Operation.DEAD_LETTERS: Rule(_READ, *_OWN),
    Operation.RESEND: Rule(_CHANGE, *_OWN),
    Operation.CREDENTIALS: Rule(_READ, *_OWN),
    Operation.ADD_CREDENTIAL: Rule(_CHANGE, *_OWN),
    Operation.REPLACE_CREDENTIAL: Rule(_CHANGE, *_OWN),
    Operation.REMOVE_CREDENTIAL: Rule(_CHANGE, *_OWN),
    Operation.REQUEST_DELEGATION: Rule(_CHANGE, *_OWN),
    Operation.FINISH_DELEGATION: Rule(_CHANGE, *_OWN),
    Operation.CREATE_SWEEP: Rule(_CREATE, *_OWN),
    Operation.SWEEP: Rule(_READ, *_OPERATED),
    Operation.SWEEP_PAGE: Rule(_READ, *_OWN),
    Operation.SWEEP_DOCUMENT: Rule(_READ, *_ADMINISTERED),
    Operation.SWEEP_EVENTS: Rule(_READ, *_OPERATED),
    Operation.STREAM_SWEEP: Rule(_READ, *_OPERATED),
    Operation.HOLD_SWEEP: Rule(_CHANGE, *_OWN),
    Operation.RELEASE_SWEEP: Rule(_CHANGE, *_OWN),
    Operation.TERMINATE_SWEEP: Rule(_CANCEL, *_OPERATED),
    Operation.PURGE_SWEEP: Rule(_CANCEL, *_ADMINISTERED),
    Operation.USAGE: Rule(_READ, *_ADMINISTERED),
    Operation.USAGE_RECORDS: Rule(_READ, *_ADMINISTERED),
}


def reach(operation: Operation, roles: Collection[Role], scopes: Collection[Scope] | None) -> Reach:
    """How far a caller with these roles and scopes (None: not limited) reaches with an operation."""
    rule = TABLE[operation]
    if scopes is not None and rule.scopes.isdisjoint(scopes):
        return Reach.NONE
    # A plain loop: each request is asked for this, some several times.
    farthest = Reach.NONE
    for role in roles:
        if (found := rule.reach(role)) > farthest:
            farthest = found
    return farthest
