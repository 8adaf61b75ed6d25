"""A real slurmrestd beside the tests' Slurm: on a unix socket, as an account that is not root's, with tokens."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .needs import NotHere

#: Any that has nothing to do with Slurm: the daemon refuses to run as root or as Slurm's own user.
ACCOUNT = "nobody"
_SECONDS = 20.0


@dataclass(frozen=True)
class Slurmrestd:
    """A running daemon, and how it is reached."""

    socket: Path
    token_file: Path
    log: Path

    @property
    def options(self) -> dict[str, str]:
        """What a configuration says about it."""
        return {"socket": str(self.socket), "token_file": str(self.token_file)}


@contextmanager
def running(directory: Path, lifespan: int = 3600) -> Iterator[Slurmrestd]:
    """Start one; the cluster must be up. `lifespan` of the caller's token is in seconds. Raises NotHere."""
    # The account must be able to reach its socket.
    with tempfile.TemporaryDirectory(prefix="argosy-slurmrestd.") as place:
        os.chmod(place, 0o711)
        base = Path(place)
        own = base / "daemon"
        own.mkdir()
        here = Slurmrestd(own / "socket", directory / "token", directory / "log")
        here.token_file.touch(0o600)
        here.token_file.write_bytes(_output("scontrol", "token", f"lifespan={lifespan}"))
        _output("chown", ACCOUNT, str(own))
        environ = {**os.environ, "SLURM_JWT": "daemon", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        account = ["setpriv", f"--reuid={ACCOUNT}", "--regid=nogroup", "--clear-groups", "--"]
        command = [*account, "slurmrestd", "-a", "rest_auth/jwt", f"unix:{here.socket}"]
        with here.log.open("w") as log:
            try:
                daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ)
            except OSError as error:
                raise NotHere(str(error)) from error
        try:
            end = time.monotonic() + _SECONDS
            while not here.socket.exists():
                if daemon.poll() is not None or time.monotonic() > end:
                    raise NotHere(f"slurmrestd did not come up: {here.log.read_text()}")
                time.sleep(0.01)
            yield here
        finally:
            daemon.terminate()
            try:
                daemon.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _output(*argv: str) -> bytes:
    try:
        return subprocess.run(argv, check=True, capture_output=True, timeout=30).stdout
    except subprocess.CalledProcessError as error:
        raise NotHere(error.stderr.decode().strip() or f"{argv[0]} ended with {error.returncode}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(str(error)) from error
