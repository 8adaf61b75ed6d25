"""How commands and small files reach a host."""

from .contract import Transport
from .registry import open_transport

__all__ = ["Transport", "open_transport"]
