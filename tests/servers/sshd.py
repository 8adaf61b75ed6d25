"""A real sshd for the tests: on the loopback, for this user, with keys and known hosts in a directory of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers.daemons import free_port
from tests.servers.needs import NotHere, program

_UP = 20.0


class Sshd:
    """One server in one directory. `config` is an ssh_config that leads to it as the host ``there``."""

    def __init__(self, directory: Path, **options: object) -> None:
        self.directory = directory
        self.port = free_port()
        self.user = getpass.getuser()
        self.options = options
        #: Another program in the place of the system's sshd, and what its environment has besides.
        self.program: str | None = None
        self.environ: dict[str, str] = {}
        self.host_key = directory / "host"
        self.user_key = directory / "user"
        self.known_hosts = directory / "known_hosts"
        self.config = directory / "config"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for key in (self.host_key, self.user_key):
            make_key(key)
        shutil.copy(f"{self.user_key}.pub", directory / "authorized_keys")
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {Path(f'{self.host_key}.pub').read_text()}")
        self.write_config()

    @property
    def url(self) -> str:
        """The host by its alias in `config`."""
        return "ssh://there"

    def write_config(self, extra: str = "", **changed: object) -> Path:
        """Write the client's configuration anew."""
        values: dict[str, object] = {
            "HostName": "127.0.0.1",
            "Port": self.port,
            "User": self.user,
            "IdentityFile": self.user_key,
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "none",
        } | changed
        lines = [f"    {name} {value}" for name, value in values.items() if value is not None]
        self.config.write_text("\n".join([extra, "Host there", *lines, ""]))
        return self.config

    def start(self) -> None:
        """Begin to listen, on the same port as before. Raises NotHere."""
        assert self._process is None
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.host_key,
            "AuthorizedKeysFile": self.directory / "authorized_keys",
            "PidFile": "none",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "StrictModes": "no",
            "PrintMotd": "no",
            "MaxStartups": "100:30:200",
        } | self.options
        file = self.directory / "sshd_config"
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        # It wants to be called by its whole path.
        server = self.program or program("sshd", "openssh-server", "openssh-client")
        log = self.directory / "log"
        self._process = subprocess.Popen(
            [server, "-D", "-f", file, "-E", log], stdin=subprocess.DEVNULL, env=os.environ | self.environ
        )
        end = time.monotonic() + _UP
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise NotHere(f"sshd does not start: {(self.directory / 'log').read_text()[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)

    def stop(self) -> None:
        """Listen no more, and cut all connections."""
        process, self._process = self._process, None
        if process is not None:
            children = _children(process.pid)
            process.kill()
            process.wait()
            for pid in children:
                _kill(pid)

    def cut(self) -> int:
        """Kill what serves the connections, as a broken network would; says how many there were."""
        assert self._process is not None
        children = _children(self._process.pid)
        for pid in children:
            _kill(pid)
        return len(children)

    def trust(self, public_key: Path) -> None:
        """Let this key in too."""
        with (self.directory / "authorized_keys").open("a") as file:
            file.write(public_key.read_text())


@contextlib.contextmanager
def running(directory: Path, **options: object) -> Iterator[Sshd]:
    """A server for as long as this context."""
    server = Sshd(directory, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_key(path: Path, passphrase: str = "") -> Path:
    """A new key pair."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "tests", "-f", path], check=True)
    return path


def ensure_sshd() -> None:
    """Install the server where it is missing and that can be done. Raises NotHere."""
    program("sshd", "openssh-server", "openssh-client")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd confines itself


def _children(pid: int) -> list[int]:
    """The processes below this one that are sshd too; not what users run through them."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().startswith(("sshd", "gsisshd")):
                    found += [child, *_children(child)]
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
