"""Rimrock's clients: curl, with proxies of a SimpleCA, at a service over https whose host is a Slurm behind sshd."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.needs import NotHere, absent
from tests.servers.simpleca import SimpleCA, ensure_simpleca
from tests.servers.sshd import Sshd
from tests.service.running import RunningService

HOST, DEAD, HERE = "zeus.example.org", "dead.example.org", "here.example.org"


@dataclass
class Answered:
    status: int
    body: str

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Site:
    """A service, and those who use it."""

    def __init__(self, service: RunningService, grid: SimpleCA) -> None:
        self.service = service
        self.grid = grid
        self.url = json.loads((service.directory / "endpoint.json").read_text())["url"]

    def header(self, user: str = "alice", *options: str) -> str:
        """The header, as the shell lines of Rimrock's description make it."""
        self.grid.proxy("-rfc", *options, user=user)
        script = "cat \"$1\" | base64 | tr -d '\\n'"
        file = self.grid.path / f"{user}.proxy"
        return subprocess.run(["bash", "-c", script, "bash", file], capture_output=True, text=True, check=True).stdout

    def curl(self, *words: str, proxy: str | None) -> Answered:
        headers = ["--header", "Content-Type:application/json"]
        headers += [] if proxy is None else ["--header", f"PROXY:{proxy}"]
        done = subprocess.run(
            ["curl", "-k", "-sS", "-w", "\n%{http_code}", *headers, *words], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return Answered(int(status), body)

    def ask(self, method: str, path: str, data: object = None, *, proxy: str | None) -> Answered:
        words = [] if data is None else ["--data", data if isinstance(data, str) else json.dumps(data)]
        return self.curl("-X", method, *words, self.url + path, proxy=proxy)


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> SimpleCA:
    """Two users of a CA. Without the grid's programs tests are skipped; where CI is set they fail."""
    try:
        ensure_simpleca()
        if shutil.which("curl") is None:
            raise NotHere("there is no curl")
    except NotHere as error:
        absent(error)
    made = SimpleCA(tmp_path_factory.mktemp("grid"))
    made.user("alice", "Alice Example")
    made.user("bob", "Bob Example")
    made.user("stranger", "Stranger Example")
    made.certificate("host", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    return made


@pytest.fixture(scope="session")
def site(grid: SimpleCA, slurm: None, sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("rimrock") / "home"
    home.mkdir(mode=0o700)
    free = Path(os.devnull)
    assert free.exists()
    (home / "argosy.toml").write_text(
        f"""
        [tls]
        cert = "{grid.path}/host.cert"
        key = "{grid.path}/host.key"
        [identity]
        users = ["/O=Grid/OU=argosy/CN=Alice Example", "/O=Grid/OU=argosy/CN=Bob Example"]
        [identity.x509]
        ca_directory = "{grid.certificates}"
        [resources.zeus]
        type = "slurm"
        url = "{sshd.url}"
        ssh_config = "{sshd.config}"
        poll = 1
        [resources.dead]
        type = "slurm"
        url = "ssh://127.0.0.1:1"
        [resources.local]
        type = "local"
        [endpoints.rimrock]
        hosts = {{ "{HOST}" = "zeus", "{DEAD}" = "dead", "{HERE}" = "local" }}
        timeout = 20
        process_timeout = 5
        """
    )
    running = RunningService(home)
    running.start()
    yield Site(running, grid)
    running.end()


@pytest.fixture(scope="session")
def alice(site: Site) -> str:
    return site.header("alice")


@pytest.fixture(scope="session")
def bob(site: Site) -> str:
    return site.header("bob")


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
