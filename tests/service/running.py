"""A real service in a process of its own, for tests that kill it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from argosy.client import Client, Endpoint
from tests.service import forking
from tests.service.forking import Forked
from tests.waiting import until

_MAIN = """
import asyncio, sys
from argosy.service.config import load_config
from argosy.endpoints.runtime import run_service
asyncio.run(run_service(load_config(sys.argv[1])))
"""


class RunningService:
    """A service over one directory; it can be killed and started again.

    One that is `fresh` has an interpreter and a command line of its own; the others are forked, which is quicker.
    """

    fresh = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self._clients: list[Client] = []

    def start(self, *, fault: str | None = None, environ: dict[str, str] | None = None) -> None:
        (self.directory / "endpoint.json").unlink(missing_ok=True)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")}
        if fault is not None:
            variables["ARGOSY_FAULT"] = fault
        log = (self.directory.parent / f"{self.directory.name}.log").open("ab")
        with log:
            if self.fresh:
                self.process = subprocess.Popen(
                    [sys.executable, "-W", "error", "-c", _MAIN, str(self.directory)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=variables | (environ or {}),
                    start_new_session=True,
                )
            else:
                self.process = forking.start(self.directory, variables | (environ or {}), log.fileno())
        until(lambda: (self.directory / "endpoint.json").exists() or self.process.poll() is not None, 30)
        assert self.process.poll() is None or fault is not None, self.log()

    def log(self) -> str:
        return (self.directory.parent / f"{self.directory.name}.log").read_text()

    def client(self, **more: object) -> Client:
        found = json.loads((self.directory / "endpoint.json").read_text())
        token = (self.directory / "token").read_text().strip()
        client = Client(Endpoint(found["url"], token, None), **more)
        self._clients.append(client)
        return client

    def died(self, timeout: float = 30) -> bool:
        """Whether it killed itself, as its fault point says."""
        assert self.process is not None
        try:
            return self.process.wait(timeout) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.log()

    def end(self) -> None:
        """Stop it and the reaper that would outlive it, whose lock file says which process it is."""
        self.stop()
        for stat in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = stat.read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.directory / "local").encode() in words:
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(int(stat.parent.name), signal.SIGKILL)


def marked(mark: str) -> set[int]:
    """The processes of this machine that have the mark in their environment."""
    found = set()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = environ.read_bytes().split(b"\0")
            state = (environ.parent / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"MARK={mark}".encode() in variables and state != "Z":
            found.add(int(environ.parent.name))
    return found
