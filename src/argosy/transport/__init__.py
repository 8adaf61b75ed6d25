"""How commands and small files reach a host."""

from .contract import Credential, Transport
from .registry import open_transport, takes_proxies

__all__ = ["Credential", "Transport", "open_transport", "takes_proxies"]
