"""A service, or the barest web application, in a process of its own, and the client that loads it in another."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import HERE, cpu_of

from argosy.client import Client, Endpoint

_SERVICE = """
import asyncio, sys
from argosy.service.config import load_config
from argosy.endpoints.runtime import run_service
asyncio.run(run_service(load_config(sys.argv[1]), announce=False))
"""
_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where it listens, and which processes it is made of."""

    pid: int
    url: str
    token: str
    directory: Path

    def client(self) -> Client:
        """The Python client, connected to it."""
        return Client(Endpoint(self.url, self.token, None))

    def reapers(self) -> list[int]:
        """The reapers of its local resources."""
        return [pid for pid in _processes(str(self.directory / "local")) if pid != self.pid]

    def cpu(self) -> float:
        """CPU seconds of the service itself."""
        return cpu_of(self.pid)

    def load(self, what: str, *arguments: object) -> dict[str, Any]:
        """Load it from another process (rest_client.py)."""
        before = self.cpu()
        done = subprocess.run(
            [sys.executable, str(HERE / "rest_client.py"), self.url, self.token, what, *map(str, arguments)],
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        used = self.cpu() - before
        return answer | {"server_us": used / answer["sent"] * 1e6, "client_us": answer["cpu"] / answer["sent"] * 1e6}


@contextlib.contextmanager
def service(directory: Path, *, slots: int | None = None, config: str | None = None) -> Iterator[Server]:
    """A service over an empty directory; it and its reapers are ended at the end."""
    directory.mkdir(mode=0o700)
    if slots is not None:
        (directory / "argosy.toml").write_text(f'[resources.local]\ntype = "local"\nslots = {slots}\n')
    if config is not None:
        (directory / "argosy.toml").write_text(config)
    announced = directory / "endpoint.json"
    process = _start(["-c", _SERVICE, str(directory)], directory / "log")
    server: Server | None = None
    try:
        _until(process, announced, directory / "log")
        url = json.loads(announced.read_text())["url"]
        server = Server(process.pid, url, (directory / "token").read_text().strip(), directory)
        yield server
    finally:
        reapers = server.reapers() if server is not None else []
        process.terminate()
        process.wait(_LIMIT)
        for pid in reapers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


@contextlib.contextmanager
def bare(directory: Path) -> Iterator[Server]:
    """uvicorn with a handler that answers the same text to everything: what any service of this kind costs."""
    directory.mkdir(mode=0o700)
    announced = directory / "url"
    process = _start([str(HERE / "bare.py"), str(announced)], directory / "log")
    try:
        _until(process, announced, directory / "log")
        yield Server(process.pid, announced.read_text(), "none", directory)
    finally:
        process.terminate()
        process.wait(_LIMIT)


def _start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    # The host's own setting must not make imports slow, and no variable of another service may reach this one.
    environ = {name: value for name, value in os.environ.items() if not re.match("ARGOSY_|PYTHONDONTWRITE", name)}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ
        )


def _until(process: subprocess.Popen[bytes], file: Path, log: Path) -> None:
    deadline = time.monotonic() + _LIMIT
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"a server did not start: {log.read_text()}")
        time.sleep(0.02)


def _processes(word: str) -> list[int]:
    """The processes that have this word on their command lines."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in cmdline.read_bytes().split(b"\0"):
                found.append(int(cmdline.parent.name))
    return found
