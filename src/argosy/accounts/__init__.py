"""Who callers are on this machine, and what is done as them.

`mapping` says which local account a caller has. An agent (`agent`, the program ``argosy-agent``) runs as that account,
started through sudo or ssh, and does there what the service asks for over its standard input (`channel`): batch
commands, session directories, staging. The service itself needs no rights to anybody's files.

What an agent answers comes from a process of the user's own, and is believed no more than any other input.
"""

from __future__ import annotations

from .channel import Agent
from .config import AccountsConfig, open_accounts
from .mapping import AccountMap, Accounts

__all__ = ["AccountMap", "Accounts", "AccountsConfig", "Agent", "open_accounts"]
