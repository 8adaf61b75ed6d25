"""Credentials that users have put into the service's hands: kept sealed, renewed, and used for their owners alone."""

from .keeper import Keeper
from .kinds import Opened
from .sealing import Vault, open_vault

__all__ = ["Keeper", "Opened", "Vault", "open_vault"]
