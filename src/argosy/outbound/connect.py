"""Connections to addresses that the policy has judged: bare sockets, and a connector for aiohttp."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any

from argosy.model import Unavailable

from .policy import Address, OutboundPolicy

if TYPE_CHECKING:
    import aiohttp


async def connect(policy: OutboundPolicy, host: str, port: int, *, timeout: float) -> socket.socket:
    """A connected socket, not blocking. `timeout` is for all of it, in seconds. Raises NotAllowed, Unavailable."""
    last: OSError | None = None
    try:
        async with asyncio.timeout(timeout):
            for address in await policy.resolve(host, port):
                try:
                    return await _connected(address, port)
                except OSError as error:
                    last = error
    except TimeoutError:
        raise Unavailable(f"{host}:{port} does not answer within {timeout:g} s") from None
    words = last.strerror if last is not None and last.strerror else "it has no address"
    raise Unavailable(f"{host}:{port} cannot be reached: {words}")


async def _connected(address: Address, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (str(address), port))
    except BaseException:
        made.close()
        raise
    return made


def connector(
    policy: OutboundPolicy, *, tls: ssl.SSLContext, limit: int = 100, keep: float = 15.0
) -> aiohttp.TCPConnector:
    """Connections for aiohttp. Names are resolved and judged here; whoever asks must `policy.check` each URL before,
    for aiohttp does not have an address that stands in the URL resolved. `limit` is the most connections, `keep` how
    long an idle one stays, in seconds."""
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Resolver(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address),
                    port=port,
                    family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST,
                )
                for address in await policy.resolve(host, port)
            ]

        async def close(self) -> None:
            """Nothing is kept open."""

    options: dict[str, Any] = {"ssl": tls, "limit": limit, "keepalive_timeout": keep, "use_dns_cache": False}
    return aiohttp.TCPConnector(resolver=Resolver(), **options)
