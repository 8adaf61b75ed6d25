"""From a target to an ssh connection: what the ssh configuration says about it, hops, and refusals in words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from argosy.model import Unavailable
from argosy.transport.shell.backoff import LoginRefused
from argosy.transport.shell.target import Target

from .known_hosts import SYSTEM_FILES, USER_FILES, read_known_hosts

_USER_CONFIG = "~/.ssh/config"
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk", "id_dsa")

#: Until a host has answered, and until it has let the user in, in seconds.
_CONNECT_TIMEOUT = 20.0
_LOGIN_TIMEOUT = 30.0
#: A connection that says nothing is asked so often (seconds), and given up after so many questions without answer.
_KEEPALIVE = 15.0
_KEEPALIVE_COUNT = 3
#: Hops on the way to a host, those of hops included.
_MOST_HOPS = 8


@dataclass(slots=True)
class _Settings:
    """What the configuration says about one host."""

    options: dict[str, Any]
    user: str
    host: str
    port: int
    alias: str
    known_hosts_files: list[str]
    keys: list[str]
    hops: list[str] = field(default_factory=list)


async def dial(target: Target, lost: Callable[[Exception | None], None]) -> asyncssh.SSHClientConnection:
    """Connect, through as many hops as the configuration says.

    `lost` is called when the connection has ended. Raises LoginRefused, Unavailable.
    """
    return await _dial(target, lost, None, [])


async def _dial(
    target: Target,
    lost: Callable[[Exception | None], None],
    via: asyncssh.SSHClientConnection | None,
    passed: list[Target],
) -> asyncssh.SSHClientConnection:
    if target in passed or len(passed) >= _MOST_HOPS:
        way = " -> ".join(map(str, [*passed, target]))
        raise Unavailable(f"{target} cannot be reached: ProxyJump goes round, or has too many hops: {way}")
    loop = asyncio.get_running_loop()
    try:
        settings = await loop.run_in_executor(None, _settings, target)
    except RuntimeError as error:
        # A connection that breaks while the interpreter ends is not made anew: there are no threads any more.
        raise Unavailable(f"{target} is not connected to any more: {error}") from error
    tunnel = via
    if via is None:
        # As with ssh, only the first hop's own ProxyJump counts: those behind it are reached from hop to hop.
        for hop in settings.hops:
            try:
                tunnel = await _dial(Target.of_hop(hop, target.config), _nobody, tunnel, [*passed, target])
            except BaseException:
                if tunnel is not None:
                    tunnel.abort()
                raise
    client = _Client(lost)
    try:
        connection = await asyncssh.connect(
            target.host,
            target.port or (),
            username=target.user or (),
            tunnel=tunnel,
            client_factory=lambda: client,
            **settings.options,
        )
    except BaseException as error:
        if tunnel is not None and tunnel is not via:
            tunnel.abort()
        if isinstance(error, Exception):
            raise _in_words(error, target, settings, client) from error
        raise
    if tunnel is not None:
        connection.set_tunnel(tunnel)
    return connection


def _nobody(error: Exception | None) -> None:
    """A hop that is lost takes with it what goes through it; that is told of."""


def _settings(target: Target) -> _Settings:
    """Read the configuration. In a thread: it opens files, and may run commands (Match exec)."""
    files = [target.config or os.path.expanduser(_USER_CONFIG)]
    if target.config is None:
        files = [file for file in (*files, _SYSTEM_CONFIG) if os.access(file, os.R_OK)]
    base: dict[str, Any] = {"config": files}
    try:
        read = asyncssh.SSHClientConnectionOptions(
            host=target.host,
            port=target.port or (),
            username=target.user or (),
            client_keys=None,
            known_hosts=asyncssh.SSHKnownHosts(),
            **base,
        )
    except (asyncssh.ConfigParseError, OSError, ValueError) as error:
        raise Unavailable(f"the ssh configuration {', '.join(files)} cannot be used: {error}") from error
    get: Callable[..., Any] = read.config.get
    # "none" is an empty list here, and means that no file is read; asyncssh would then believe any key.
    known = [*_files(get("UserKnownHostsFile"), USER_FILES), *_files(get("GlobalKnownHostsFile"), SYSTEM_FILES)]
    named: list[str] = [os.path.expanduser(file) for file in get("IdentityFile", ())]
    keys = named or [os.path.expanduser(f"~/.ssh/{name}") for name in _DEFAULT_KEYS]
    options = base | {
        "known_hosts": read_known_hosts(known),
        "password_auth": False,
        "kbdint_auth": False,
        "agent_forwarding": False,
        "ignore_encrypted": True,
        "connect_timeout": _timeout(get("ConnectTimeout")),
        "login_timeout": _LOGIN_TIMEOUT,
        "keepalive_interval": _KEEPALIVE,
        "keepalive_count_max": _KEEPALIVE_COUNT,
    }
    # ssh passes over identity files and certificates that are not there.
    if named:
        options["client_keys"] = [file for file in named if os.path.exists(file)]
    if certificates := [os.path.expanduser(file) for file in get("CertificateFile", ())]:
        options["client_certs"] = [file for file in certificates if os.path.exists(file)]
    jump = get("ProxyJump")
    hops = jump.split(",") if isinstance(jump, str) and jump.lower() != "none" else []
    if str(get("ProxyCommand", "")).lower() == "none":
        options["proxy_command"] = None
    return _Settings(options, read.username, read.host, read.port, read.host_key_alias or read.host, known, keys, hops)


def _files(value: object, default: tuple[str, ...]) -> list[str]:
    return list(value) if isinstance(value, list) else list(default)


def _timeout(value: object) -> float:
    return float(value) if isinstance(value, int) and value > 0 else _CONNECT_TIMEOUT


class _Client(asyncssh.SSHClient):
    """Takes note of what a connection's owner is told."""

    def __init__(self, lost: Callable[[Exception | None], None]) -> None:
        self._lost = lost
        self.unknown_key: asyncssh.SSHKey | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(exc)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        # Asked about keys that no known_hosts file has.
        self.unknown_key = key
        return False


def _in_words(error: Exception, target: Target, settings: _Settings, client: _Client) -> Unavailable:
    where = f"{settings.user}@{settings.host}" + (f":{settings.port}" if settings.port != 22 else "")
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return LoginRefused(_about_host_key(error, where, settings, client))
    if isinstance(error, asyncssh.PermissionDenied):
        return LoginRefused(f"{where} does not let you in: {error.reason}{_about_keys(settings.keys)}")
    if isinstance(error, (TimeoutError, asyncssh.DisconnectError)):
        words = str(getattr(error, "reason", "")) or "no answer in time"
    elif isinstance(error, OSError):
        words = error.strerror or str(error)
    elif isinstance(error, (asyncssh.Error, asyncssh.KeyImportError, asyncssh.ConfigParseError, ValueError)):
        words = str(error)
    else:
        raise error
    return Unavailable(f"{where} cannot be reached through ssh ({target}): {words}")


def _about_host_key(error: Exception, where: str, settings: _Settings, client: _Client) -> str:
    key = client.unknown_key
    files = ", ".join(settings.known_hosts_files) or "(no file is configured)"
    if key is None:
        return (
            f"the host key of {where} is refused: {getattr(error, 'reason', error)}; known hosts are read from {files}"
        )
    shown = f"{key.get_algorithm()} {key.get_fingerprint()}"
    known: asyncssh.SSHKnownHosts = settings.options["known_hosts"]
    others = known.match(settings.alias, "", settings.port if settings.port != 22 else None)[0]
    if others:
        listed = ", ".join(f"{other.get_algorithm()} {other.get_fingerprint()}" for other in others)
        return (
            f"the host key of {where} has CHANGED: it shows {shown}, and {files} have {listed}. It may be another "
            "machine that answers in its place; ask its administrators, and correct that file if they say so"
        )
    port = f"-p {settings.port} " if settings.port != 22 else ""
    return (
        f"the host key of {where} is not known: {shown} is in none of {files}. Compare this fingerprint with the "
        f"one that its administrators publish, then log in once with `ssh {port}{settings.user}@{settings.host}`, "
        "which adds it"
    )


def _about_keys(keys: list[str]) -> str:
    """Which keys could not be offered, for lack of their passphrase."""
    protected = [file for file in keys if _is_protected(file)]
    if not protected:
        return ""
    names = ", ".join(protected)
    return f"; {names} has a passphrase, which is never asked for here: give the key to an agent with ssh-add"


def _is_protected(file: str) -> bool:
    try:
        asyncssh.read_private_key(file)
    except asyncssh.KeyImportError as error:
        return "passphrase" in str(error).lower()
    except (OSError, ValueError):
        return False
    return False
