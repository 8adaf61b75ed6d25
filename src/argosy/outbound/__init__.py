"""To where this service connects on somebody's behalf: what is asked for is judged, and connected to as judged."""

from .client import client
from .connect import connect
from .policy import OutboundConfig, OutboundPolicy
from .url import Url, shown

__all__ = ["OutboundConfig", "OutboundPolicy", "Url", "client", "connect", "shown"]
