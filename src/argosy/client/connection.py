"""How the clients reach the service."""

from __future__ import annotations

import ipaddress
from typing import Any

import httpx

from .discovery import Endpoint

#: How long one step of a request may take, in seconds.
TIMEOUT = 30.0
#: A stream shows that it is alive more often than this, in seconds.
STREAM_TIMEOUT = 60.0


def settings(endpoint: Endpoint) -> dict[str, Any]:
    """What httpx's clients of either kind take, apart from the transport."""
    return {
        "base_url": endpoint.url,
        "headers": {"Authorization": f"Bearer {endpoint.token}", "User-Agent": "argosy"},
        "timeout": TIMEOUT,
        # A proxy for the world must not be given what is meant for this machine.
        "trust_env": endpoint.socket is None and not is_loopback(endpoint.url),
    }


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def where(endpoint: Endpoint) -> str:
    """The address, for people."""
    return endpoint.socket or endpoint.url
