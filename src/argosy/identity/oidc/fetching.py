"""Fetching an issuer's documents: to where it is allowed, no larger and no longer than a bound."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from argosy.model import InvalidInput, Unavailable
from argosy.model.hosts import is_loopback

MAX_BYTES = 1024 * 1024
#: For one document in all, in seconds.
LIMIT = 10.0


def check_url(url: str, what: str, hosts: Collection[str] | None = None) -> str:
    """The host (``NAME:PORT`` where there is a port) of a URL that may be asked; `hosts` are the only ones allowed.

    It must be https, or http to this machine. Raises InvalidInput.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"{what} is no URL: {error}") from None
    if not url.isascii() or any(char <= " " for char in url) or host is None:
        raise InvalidInput(f"{what} is no URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise InvalidInput(f"{what} must begin with https://")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise InvalidInput(f"{what} must not have a user or a fragment")
    place = host if port is None else f"{host}:{port}"
    if hosts is not None and place not in hosts:
        raise InvalidInput(f"{what} is on {place}, which is not allowed; name it in key_hosts if it is right")
    return place


class Fetcher:
    """Gets JSON documents. It follows no redirection: what is fetched is what was checked."""

    def __init__(self, ca_file: str | None = None) -> None:
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise InvalidInput(f"{ca_file}: {error.strerror}", element="identity.oidc.ca_file") from error
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def json(self, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object at a URL that has been checked; the answer to a `form`, be it a refusal. Raises Unavailable."""
        try:
            async with asyncio.timeout(LIMIT):
                data = await self._read(url, form)
            found = json.loads(data)
        except TimeoutError:
            raise Unavailable(f"{url} has not answered within {LIMIT:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{url} cannot be read: {str(error) or type(error).__name__}") from error
        except (ValueError, RecursionError):
            raise Unavailable(f"{url} answers something that is not JSON") from None
        if not isinstance(found, dict):
            raise Unavailable(f"{url} answers something that is no object")
        return found

    async def _read(self, url: str, form: Mapping[str, str] | None) -> bytes:
        data = bytearray()
        method = "GET" if form is None else "POST"
        sending = self._client(url).stream(method, url, headers={"accept": "application/json"}, data=form)
        async with sending as response:
            # RFC 6749, 5.2: a refusal is a 400 or 401 that says why.
            if response.status_code != 200 and (form is None or response.status_code not in (400, 401)):
                raise Unavailable(f"{url} answers {response.status_code}")
            # Raw: a small answer could be unpacked to a very large one.
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unavailable(f"{url} answers in an encoding that was not asked for")
            async for part in response.aiter_raw():
                data += part
                if len(data) > MAX_BYTES:
                    raise Unavailable(f"{url} answers more than {MAX_BYTES} bytes")
        return bytes(data)

    def _client(self, url: str) -> httpx.AsyncClient:
        # A proxy of the environment leads to the world, and not to this machine.
        here = is_loopback(urlsplit(url).hostname or "")
        if here not in self._clients:
            self._clients[here] = httpx.AsyncClient(
                verify=self._tls,
                timeout=LIMIT,
                follow_redirects=False,
                trust_env=not here,
                headers={"accept-encoding": "identity"},
            )
        return self._clients[here]

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
