"""How commands and small files reach a host."""

from .contract import Transport

__all__ = ["Transport"]
