"""A real server on a real port and socket, over operations kept in memory, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argosy.endpoints.door import Door
from argosy.endpoints.rest import bearer, make_app
from argosy.endpoints.server import Addresses, serve
from argosy.service.administration.limits import Limits
from tests.rest.fake import CALLER, TOKEN, FakeOperations

LIMIT = 60.0


class Live:
    """What a test needs of a running server."""

    def __init__(self, home: Path, limits: Limits | None = None) -> None:
        self.limits = limits
        self.home = home
        self.operations: FakeOperations
        self.addresses: Addresses
        self.loop: asyncio.AbstractEventLoop
        self.stop: asyncio.Event
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._failure: BaseException | None = None

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.operations = FakeOperations()
        self.stop = asyncio.Event()
        app = make_app(self.operations, Door(bearer(TOKEN, CALLER)), version="0.test")

        def ready(addresses: Addresses) -> None:
            self.addresses = addresses
            self._ready.set()

        try:
            await serve(
                app,
                socket_path=str(self.home / "run" / "socket"),
                ready=ready,
                stop=self.stop,
                on_stop=app.close,
                limits=self.limits,
            )
        except BaseException as error:
            self._failure = error
            self._ready.set()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(LIMIT)
        if self._failure is not None:
            raise self._failure
        self.home.chmod(0o700)
        (self.home / "endpoint.json").write_text(
            json.dumps({"url": self.addresses.url, "socket": self.addresses.socket, "pid": os.getpid()})
        )
        token = self.home / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)

    def do(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function in the server's event loop."""

        async def call() -> Any:
            result = function(*arguments, **named)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(LIMIT)

    def close(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure


@contextmanager
def live_server(home: Path, limits: Limits | None = None) -> Iterator[Live]:
    server = Live(home, limits)
    server.start()
    try:
        yield server
    finally:
        server.close()
