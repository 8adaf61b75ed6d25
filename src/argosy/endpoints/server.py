"""An ASGI application on a TCP port and a Unix socket, within the event loop that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar.types import ASGIApp

from argosy.model import Conflict, Unavailable
from argosy.model.shell import quote
from argosy.service.administration.limits import Limits

from .listening import Gatekeeper, Listener
from .peer import kept_by
from .tls import GOODBYE, HANDSHAKE, ServerTLS

log = logging.getLogger(__name__)

#: Longer paths do not fit into a socket address (unix(7): 108 bytes with the final NUL).
MAX_SOCKET_PATH = 100
#: How long requests under way may take when the server stops, in seconds.
GRACE = 10
#: How long a connection without requests is kept, in seconds: longer than clients leave between two polls.
KEEP_ALIVE = 75


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens: its URL on TCP, and the path of its Unix socket where it has one."""

    url: str
    socket: str | None = None


class _Server(uvicorn.Server):
    """uvicorn, ended by an event instead of signals: those are the program's own affair."""

    ready: Callable[[], None]
    tls: ServerTLS | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        tcp = [one for one in sockets or () if one.family != socket.AF_UNIX]
        await super().startup([one for one in sockets or () if self.tls is None or one not in tcp])
        if self.tls is not None:
            for one in tcp:
                self.servers.append(await self._listen(one, self.tls))
        self.ready()

    async def _listen(self, tcp: socket.socket, tls: ServerTLS) -> asyncio.Server:
        """What uvicorn does with a socket; with TLS on this one alone, and times of its own."""

        def protocol() -> asyncio.Protocol:
            made = self.config.http_protocol_class
            return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

        context: Any = tls  # asyncio needs its `wrap_bio` alone
        return await asyncio.get_running_loop().create_server(
            protocol,
            sock=tcp,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE,
            ssl_shutdown_timeout=GOODBYE,
            backlog=self.config.backlog,
        )


async def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    socket_path: str | None = None,
    ready: Callable[[Addresses], None] = lambda _: None,
    stop: asyncio.Event | None = None,
    on_stop: Callable[[], None] = lambda: None,
    tls: ServerTLS | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve until `stop` is set, or this is cancelled; with `tls` the port speaks https, the Unix socket http.

    `ready` is called once both sockets listen; port 0 takes any free one. When it is to stop, `on_stop` is called first
    (to end what would go on for ever, as event streams do), then requests under way have some seconds to end.
    `limits` says how many connections there may be on TCP.
    Raises Unavailable where the address cannot be had, Conflict where another server answers on the Unix socket.
    """
    limits = limits or Limits()
    keeper = Gatekeeper(limits.connections, limits.connections_per_address, asyncio.get_running_loop().time)
    tcp = _bind_tcp(host, port)
    tcp.keeper, tcp.clear = keeper, tls is None
    sockets: list[socket.socket] = [tcp]
    try:
        unix = None if socket_path is None else _bind_unix(socket_path)
    except BaseException:
        tcp.close()
        raise
    if unix is not None:
        sockets.append(unix)
    server = _Server(
        uvicorn.Config(
            app,
            http=kept_by(keeper),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
        )
    )
    server.tls = tls
    addresses = Addresses(_url(tcp, "http" if tls is None else "https"), socket_path if unix is not None else None)
    server.ready = lambda: ready(addresses)
    running = asyncio.create_task(server.serve(sockets=sockets))
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        on_stop()
        server.should_exit = True
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
        for each in sockets:
            each.close()
        keeper.close()
        if unix is not None and socket_path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(socket_path)
    running.result()


def _url(tcp: socket.socket, scheme: str) -> str:
    host, port = tcp.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _bind_tcp(host: str, port: int) -> Listener:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        tcp = Listener(family, kind, protocol)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(address)
        except BaseException:
            tcp.close()
            raise
    except OSError as error:
        raise Unavailable(f"cannot listen on {host} port {port}: {error.strerror or error}; choose another") from None
    return tcp


def _bind_unix(path: str) -> socket.socket | None:
    """A socket that only its owner can reach. One that nobody answers on any more is replaced."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        log.warning("no Unix socket: %s is longer than the %d bytes that fit", path, MAX_SOCKET_PATH)
        return None
    directory = os.path.dirname(path) or "."
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if stat.S_IMODE(os.stat(directory).st_mode) & 0o077:
        raise Unavailable(f"{directory} can be entered by others; run: chmod 700 {quote(directory)}")
    _remove_stale(path)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Nobody can connect before it listens, and that is after its mode is right.
        unix.bind(path)
        os.chmod(path, 0o600)
    except OSError as error:
        unix.close()
        raise Unavailable(f"cannot make the socket {path}: {error.strerror or error}") from None
    return unix


def _remove_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(f"{path} is in the way, and is no socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError as error:
            raise Unavailable(f"cannot tell whether a service answers on {path}: {error}") from None
    raise Conflict(f"another service answers on {path}; stop it first")
