"""The service as many users: session directories, staging and batch commands as the account of whose activity it is."""

from __future__ import annotations

from .driver import AccountDriver
from .mover import AccountMover
from .seats import Seats
from .sessions import AccountSessions

__all__ = ["AccountDriver", "AccountMover", "AccountSessions", "Seats"]
