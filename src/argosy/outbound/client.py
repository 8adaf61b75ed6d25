"""An httpx client whose every connection, that of a redirection included, goes to where the policy allows."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpcore
import httpx

from argosy.model import Unavailable

from .policy import OutboundPolicy


def client(
    policy: OutboundPolicy,
    *,
    timeout: float = 30.0,
    tls: ssl.SSLContext | None = None,
    connections: int = 100,
    redirects: int = 0,
    headers: dict[str, str] | None = None,
) -> httpx.AsyncClient:
    """A client that connects only as the policy allows; to be closed by whoever asked for it.

    `timeout` is for connecting, and between two pieces of an answer, in seconds; `redirects` how many are followed.
    A request raises NotAllowed where its address is refused, Unavailable where the name cannot be resolved, and httpx's
    errors otherwise. Proxies of the environment are not used: the policy could not judge what they connect to.
    """
    return httpx.AsyncClient(
        transport=_Transport(policy, tls or ssl.create_default_context(), connections),
        timeout=timeout,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
        trust_env=False,
        headers=headers,
    )


class _Backend(httpcore.AsyncNetworkBackend):
    """Resolves and judges the host, and connects to the addresses that were judged."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self._policy = policy
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        end = None if timeout is None else time.monotonic() + timeout
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in await self._policy.resolve(host, port):
            left = None if end is None else max(end - time.monotonic(), 0.001)
            try:
                return await self._sockets.connect_tcp(str(address), port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or Unavailable(f"{host} has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("a socket of this machine is not outside")

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)


class _Transport(httpx.AsyncBaseTransport):
    """httpx over an httpcore pool with our backend; httpx's own transport takes none."""

    def __init__(self, policy: OutboundPolicy, tls: ssl.SSLContext, connections: int) -> None:
        self._policy = policy
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=connections, network_backend=_Backend(policy)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # What the URL says is judged too: a connection of the pool may have been allowed for another reason.
        self._policy.check(str(request.url), schemes=("http", "https"))
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx(request):
            answer = await self._pool.handle_async_request(asked)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer, request),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx(self._request):
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextlib.contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """httpx has an error of the same name for each of httpcore's."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error), request=request) from error
