"""A whole service as one process: the store, the engine, the endpoints, and the files by which clients find it.

The private directory holds

    endpoint.json   where the service listens
    token           the secret that its own user's clients send; mode 0600
    socket          the Unix socket
    lock            held while the service runs: a directory has one service
    argosy.db, sessions/, spool/, local/
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from argosy._version import __version__
from argosy.identity import Role
from argosy.identity.gate import open_gate
from argosy.model import Conflict, Unavailable
from argosy.model.user import own_name
from argosy.service.assemble import assemble
from argosy.service.audit import Trail, audited
from argosy.service.caller import Caller
from argosy.service.config import ServiceConfig, load_config
from argosy.service.faults import Faults

from .contract import Surroundings
from .door import Door
from .listening import fitting
from .marking import Marked
from .mounted import Mounted, open_endpoints
from .publishing import published
from .rest import bearer, make_app
from .server import Addresses, serve
from .tls import Certificate, ServerTLS
from .undumped import keep_memory

log = logging.getLogger(__name__)

#: Whoever has the token in the private directory is the service's own user.
_OWNER = frozenset({Role.USER, Role.ADMINISTRATOR})
#: For how long a lock that somebody has is waited for, and between looks at it, in seconds.
_LOCK_PATIENCE = 2.0
_LOCK_AGAIN = 0.05
#: How often it is looked whether a detached service serves yet, in seconds.
_LOOK = 0.05
#: How many more objects are made than freed before the newest are looked through for garbage.
_MADE = 50_000
#: How long one thread may have the interpreter while another waits for it, in seconds: the thread that writes needs it
#: for moments between long calls into SQLite, which go on while the event loop has it.
_TURN = 0.0005


def main(
    *,
    directory: str | None = None,
    host: str | None = None,
    port: int | None = None,
    config: str | None = None,
    log_level: str = "info",
    detach: bool = False,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    tls_client_ca: str | None = None,
    without_tls: bool = False,
) -> None:
    """Read the configuration, and run the service until it is told to stop. What is None is left to the file.

    `detach`: do so in a process of its own, and return once it serves. Its log is ``service.log`` in its directory.
    """
    tls = {"cert": tls_cert, "key": tls_key, "client_ca": tls_client_ca}
    settings = load_config(directory, config, host=host, port=port, tls=tls, without_tls=without_tls)
    if detach:
        _detach(settings, config, log_level, without_tls)
        return
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)sZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    logging.Formatter.converter = time.gmtime
    for chatty in ("uvicorn.error", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    asyncio.run(run_service(settings))


def _detach(settings: ServiceConfig, config: str | None, log_level: str, without_tls: bool) -> None:
    directory = _private(settings.directory)
    command = [sys.executable, "-m", "argosy.cli", "serve", "--directory", settings.directory]
    command += ["--host", settings.host, "--port", str(settings.port), "--log-level", log_level]
    command += [] if config is None else ["--config", os.path.abspath(config)]
    command += ["--without-tls"] if without_tls else []
    if settings.tls is not None:
        command += ["--tls-cert", settings.tls.cert, "--tls-key", settings.tls.key]
        command += [] if settings.tls.client_ca is None else ["--tls-client-ca", settings.tls.client_ca]
    fd = os.open(directory / "service.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with open(fd, "ab") as log_file:
        before = log_file.tell()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True, cwd="/"
        )
    while child.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads((directory / "endpoint.json").read_text())
            if found["pid"] == child.pid:
                print(f"argosy {__version__} serves {found['url']} from {directory} as process {child.pid}")  # noqa: T201
                child.returncode = 0  # it is not waited for: it stays
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK)
    with (directory / "service.log").open() as said:
        said.seek(before)
        raise Unavailable(f"the service did not start: {said.read().strip() or child.returncode}")


async def run_service(config: ServiceConfig, *, announce: bool = True) -> None:
    """Run until SIGTERM or SIGINT. Raises Conflict where another service has the directory.

    `announce` prints where it listens. Jobs go on when it stops; the next one takes them up.
    """
    keep_memory()
    config = within_files(config)
    directory = _private(config.directory)
    with _locked(directory):
        token = _token(directory / "token")
        owner = own_name()
        gate = open_gate(config.identity, directory, owner)
        tls = None
        if config.tls is not None:
            tls = ServerTLS(Certificate(config.tls.cert, config.tls.key), ask="x509" in config.identity)
        trail = Trail(Path(config.audit.file or directory / "audit.jsonl"))
        service = assemble(config, Faults(os.environ.get("ARGOSY_FAULT")))
        await service.open()
        try:
            door = Door(
                bearer(token, Caller(owner, roles=_OWNER)),
                None if gate is None else gate.identify,
                trail,
                config.limits,
                service.kept.seen,
            )
            operations = audited(service, trail)
            surroundings = Surroundings(operations, door.caller, tuple(config.resources), door.callers)
            others = open_endpoints(config.endpoints, surroundings)
            app = Marked(Mounted(make_app(operations, door, version=__version__), others))
            _collect_seldom()
            sys.setswitchinterval(_TURN)
            stop = asyncio.Event()
            service.on_stop = stop.set
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            loop.add_signal_handler(signal.SIGHUP, _reread, tls, trail)

            def ready(addresses: Addresses) -> None:
                operations.published = published(config, addresses.url, others)
                _publish(directory / "endpoint.json", addresses)
                if announce:
                    shares = ", ".join(config.resources)
                    print(  # noqa: T201
                        f"argosy {__version__} serves {addresses.url} from {directory} (runs jobs on: {shares})",
                        flush=True,
                    )

            await serve(
                app,
                host=config.host,
                port=config.port,
                socket_path=str(directory / "socket"),
                ready=ready,
                stop=stop,
                on_stop=app.close,
                tls=tls,
                limits=config.limits,
            )
        finally:
            with contextlib.suppress(FileNotFoundError):
                (directory / "endpoint.json").unlink()
            if gate is not None:
                await gate.close()
            await service.close()
            trail.close()


def within_files(config: ServiceConfig) -> ServiceConfig:
    """The same, with no more connections than the files that this process may have open allow."""
    most = fitting(config.limits.connections)
    if most != config.limits.connections:
        log.info("%d connections at most: the process may have so many files open", most)
    return structs.replace(config, limits=structs.replace(config.limits, connections=most))


def _collect_seldom() -> None:
    """Look for garbage that refers to itself less often: one vector makes a hundred thousand objects that stay.

    What was loaded so far stays until the end, and is not looked at again.
    """
    gc.freeze()
    gc.set_threshold(_MADE, 20, 50)


def _reread(tls: ServerTLS | None, trail: Trail) -> None:
    """SIGHUP, as after a certificate or a log file has been replaced."""
    trail.reopen()
    if tls is not None:
        tls.reload(force=True)


def _private(path: str) -> Path:
    directory = Path(path)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    return directory


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # A process that a killed service was about to start has the lock until it has become its program.
        until = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    words = f"another service runs in {directory}; stop it first, or choose another directory"
                    raise Conflict(words) from None
            time.sleep(_LOCK_AGAIN)
        yield
    finally:
        os.close(fd)


def _token(path: Path) -> str:
    """The service's token, made at its first start. Raises Unavailable where what is there is none."""
    if not path.exists():
        _write(path, secrets.token_urlsafe(32) + "\n")
    path.chmod(0o600)
    token = path.read_bytes().strip()
    if not token.isascii() or not token:
        raise Unavailable(f"{path} holds no token; remove it, and the next start of the service makes another")
    return token.decode()


def _publish(path: Path, addresses: Addresses) -> None:
    content = {"url": addresses.url, "socket": addresses.socket, "pid": os.getpid()}
    _write(path, json.dumps(content) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file for this user alone, whole or not at all: it has its name once all of it is on disk."""
    temporary = path.with_suffix(".tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(0o600)
    temporary.rename(path)
