"""How the clients reach the service."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from argosy.model import InvalidInput
from argosy.model.hosts import is_loopback

from .discovery import Endpoint

#: How long one step of a request may take, in seconds.
TIMEOUT = 30.0
#: Streams and files that are followed each have a connection of their own: there is no limit but the service's.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
#: A stream shows that it is alive more often than this, in seconds.
STREAM_TIMEOUT = 60.0


def settings(endpoint: Endpoint) -> dict[str, Any]:
    """What httpx's clients of either kind take, apart from the transport."""
    headers = {"User-Agent": "argosy"}
    if endpoint.token:
        headers["Authorization"] = f"Bearer {endpoint.token}"
    found = {
        # The Unix socket speaks http, whatever the port does.
        "base_url": endpoint.url if endpoint.socket is None else "http://localhost",
        "headers": headers,
        "timeout": TIMEOUT,
        "limits": LIMITS,
        # A proxy for the world must not be given what is meant for this machine.
        "trust_env": endpoint.socket is None and not is_loopback(httpx.URL(endpoint.url).host),
    }
    if endpoint.ca_file is not None or endpoint.certificate is not None:
        found["verify"] = _tls(endpoint)
    return found


def _tls(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        if endpoint.certificate is not None:
            context.load_cert_chain(endpoint.certificate)
    except OSError as error:
        what = endpoint.ca_file if endpoint.certificate is None else endpoint.certificate
        raise InvalidInput(f"{what} cannot be used: {error.strerror or error}") from None
    return context


def where(endpoint: Endpoint) -> str:
    """The address, for people."""
    return endpoint.socket or endpoint.url
