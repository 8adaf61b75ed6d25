"""Connections to addresses that the policy has judged."""

from __future__ import annotations

import asyncio
import os
import socket

from argosy.model import Unavailable

from .policy import Address, OutboundPolicy


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
    # asyncio's own words for it repeat the address, and not what is wrong.
    words = os.strerror(last.errno) if last is not None and last.errno else "it has no address"
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
