"""Who calls, and what they may do."""

from .caller import Caller, Credential
from .contract import Authenticator, Evidence, Refused, SocketPeer
from .policy import TABLE, Operation, Reach, Role, Rule, Scope, reach

__all__ = [
    "TABLE",
    "Authenticator",
    "Caller",
    "Credential",
    "Evidence",
    "Operation",
    "Reach",
    "Refused",
    "Role",
    "Rule",
    "Scope",
    "SocketPeer",
    "reach",
]
