"""The service's configuration: one TOML file, all of it optional.

    [service]
    host = "127.0.0.1"
    port = 0                    # any that is free
    sessions = "/shared/argosy/sessions"  # the session directories; compute nodes must see them
    retention = 604800          # seconds; and the other fields of ServicePolicy

    without_tls = true          # listen on other addresses than this machine's own in the clear

    [tls]                       # serve https
    cert = "/etc/argosy/hostcert.pem"
    key = "/etc/argosy/hostkey.pem"
    client_ca = "/etc/grid-security/certificates"  # the same as ca_directory in [identity.x509]

    [audit]
    file = "/var/log/argosy/audit.jsonl"      # default: in the service's directory

    [credentials]               # that users delegate
    key_file = "/etc/argosy/credentials.key"  # by which they are sealed; default: in the service's directory
    myproxy = ["myproxy.example.org"]         # servers at which they may be renewed
    issuers = ["https://issuer.example.org"]

    [limits]                    # what one caller may have at once: see argosy.service.administration.limits
    unfinished = 10000

    [resources.local]
    type = "local"
    slots = 4                   # CPU cores for jobs; default: all that this process may use

    [resources.cluster]         # the name that users ask for: --to cluster, or --to cluster/QUEUE
    type = "slurm"
    poll = 10                   # seconds between bulk queries
    spool = "/shared/argosy"    # where job scripts report; must be seen by the compute nodes
    url = "ssh://me@login"      # the host with its commands; without it, this machine
    ssh_config = "/etc/argosy/ssh_config"  # read instead of ~/.ssh/config
    credential = "owner"        # with url = "gsissh://login": the proxy of each job's owner, or the "service"'s own
    delegate = false            # whether that host is given a proxy of it

    labels = ["infiniband"]     # what jobs can ask for and the batch system does not publish; and more of share_config
    [resources.cluster.shares.gpu]  # for one queue of it
    allow = { groups = ["/labvo/gpu"] }

    [environments."python-3.11"]  # a runtime environment, NAME-VERSION; see EnvironmentConfig in share_config
    modules = ["python/3.11"]
    shares = ["cluster"]

    [resources.cluster.options] # what the batch system has of its own; here those of type = "slurmrestd"
    socket = "/run/slurmrestd.socket"

    [outbound]                  # where it may connect to for its users: see argosy.outbound.policy
    allow = ["*.example.org"]

    [staging]                   # how files are moved: see argosy.staging.config
    file_roots = ["/data/public"]

    [identity]                  # who may use it beside its owner: see argosy.identity.gate
    users = ["/DC=org/DC=example/CN=Alice Example"]

    [identity.x509]             # and by which ways of authentication
    ca_directory = "/etc/grid-security/certificates"

    [accounts]                  # each user's jobs and files as an account of theirs: see argosy.accounts.config
    gridmap = "/etc/grid-security/grid-mapfile"

    [endpoints.rimrock]         # other protocols than our own: see docs/rimrock.md
    hosts = { "login.example.org" = "cluster" }

    [staging]                   # files from and to URLs: see argosy.staging.config
    file_roots = ["/data/public"]

    [outbound]                  # to where this service connects for its users: see argosy.outbound.policy
    allow = ["*.example.org", "10.1.0.0/16"]

    [notifications]             # how callbacks are sent: see argosy.service.notifications.settings
    allow_http = false

    [information]               # what is published of it: see argosy.service.information.about
    name = "Example cluster"
    contact = "mailto:help@example.org"

Without a file there is `local`, and each batch system whose commands are found on PATH.
"""

from __future__ import annotations

import logging
import os
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from argosy.executors.executor import BATCH_GROUP
from argosy.model import InvalidInput, RuntimeEnvironment
from argosy.model.hosts import is_loopback
from argosy.model.plugins import Broken, registered
from argosy.outbound import OutboundConfig
from argosy.staging import StagingConfig

from .administration.limits import Limits
from .information.about import About
from .matching.share_config import EnvironmentConfig, SharesConfig, environments
from .notifications.settings import NotificationConfig
from .policy import ServicePolicy

log = logging.getLogger(__name__)


class ResourceConfig(SharesConfig, forbid_unknown_fields=True, kw_only=True):
    """One resource."""

    type: str
    slots: Annotated[int, Meta(ge=1)] | None = None
    poll: Annotated[float, Meta(gt=0)] = 10.0
    command_timeout: Annotated[float, Meta(gt=0)] = 60.0
    lost_after: Annotated[float, Meta(ge=0)] = 300.0
    spool: str | None = None
    url: str | None = None
    ssh_config: str | None = None
    credential: Literal["owner", "service"] | None = None
    """With `url` of a host that takes proxies: with whose it is logged in to."""
    delegate: bool = False
    """Whether such a host is given a proxy of it."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class TLSConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """The server's certificate and key, in PEM; and the CAs of its clients, where those may show certificates."""

    cert: str
    key: str
    client_ca: str | None = None


class CredentialsConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """How users' credentials are kept, and at which servers they may be renewed."""

    key_file: str | None = None
    key_ring: str | None = None
    """Instead of a file: the name of the key, of type ``user``, in the kernel's key ring of the service's account."""
    myproxy: list[str] = []
    certificate: str | None = None
    """The service's own certificate and key, by which MyProxy servers know it as a renewer."""
    key: str | None = None
    issuers: list[str] = []


class AuditConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where the audit trail is written; without a file, ``audit.jsonl`` in the service's directory."""

    file: Annotated[str, Meta(pattern="^/")] | None = None


class _File(Struct, forbid_unknown_fields=True, kw_only=True):
    service: dict[str, Any] = {}
    limits: Limits = Limits()
    tls: dict[str, Any] = {}
    information: About = About()
    credentials: CredentialsConfig = msgspec.field(default_factory=CredentialsConfig)
    audit: AuditConfig = AuditConfig()
    identity: dict[str, Any] = {}
    endpoints: dict[str, dict[str, Any]] = {}
    accounts: dict[str, Any] = {}
    outbound: OutboundConfig = OutboundConfig()
    staging: StagingConfig = StagingConfig()
    notifications: NotificationConfig = NotificationConfig()
    environments: dict[str, EnvironmentConfig] = {}
    resources: dict[Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")], ResourceConfig] = {}


class ServiceConfig(Struct, kw_only=True):
    """Everything that a service is started with."""

    directory: str
    host: str = "127.0.0.1"
    port: int = 0
    policy: ServicePolicy
    limits: Limits = Limits()
    resources: dict[str, ResourceConfig]
    sessions: str
    identity: dict[str, Any] = {}
    endpoints: dict[str, dict[str, Any]] = {}
    accounts: dict[str, Any] = {}
    notifications: NotificationConfig = NotificationConfig()
    tls: TLSConfig | None = None
    outbound: OutboundConfig = OutboundConfig()
    staging: StagingConfig = StagingConfig()
    information: About = About()
    environments: tuple[RuntimeEnvironment, ...] = ()
    credentials: CredentialsConfig = msgspec.field(default_factory=CredentialsConfig)
    audit: AuditConfig = AuditConfig()


def default_directory() -> Path:
    """The private directory of this user's own service: ``$ARGOSY_HOME``, or ``argosy`` in the XDG data directory."""
    if home := os.environ.get("ARGOSY_HOME"):
        return Path(home).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME", "")
    # XDG Base Directory Specification: a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "argosy"


def load_config(
    directory: str | os.PathLike[str] | None = None,
    file: str | os.PathLike[str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    tls: Mapping[str, str | None] | None = None,
    without_tls: bool = False,
) -> ServiceConfig:
    """The configuration: what is given here, over `file` (or ``argosy.toml`` in the directory), over the defaults.

    `tls` has the fields of a TLSConfig. Raises InvalidInput naming the file and the element.
    """
    where = Path(directory).expanduser().absolute() if directory is not None else default_directory()
    path = Path(file) if file is not None else where / "argosy.toml"
    read = _File() if file is None and not path.exists() else _read(path)
    service = dict(read.service)
    sessions = service.pop("sessions", str(where / "sessions"))
    if not isinstance(sessions, str) or not sessions.startswith("/"):
        raise InvalidInput(f"{path}: service.sessions must be an absolute path", element="service.sessions")
    network = {"host": service.pop("host", "127.0.0.1"), "port": service.pop("port", 0)}
    if not isinstance(network["host"], str) or not isinstance(network["port"], int):
        raise InvalidInput(f"{path}: service.host is a text and service.port a number", element="service")
    listens = host if host is not None else network["host"]
    in_the_clear = service.pop("without_tls", False)
    if not isinstance(in_the_clear, bool):
        raise InvalidInput(f"{path}: service.without_tls is true or false", element="service.without_tls")
    certificate = _tls(read.tls, tls or {})
    if certificate is None and not in_the_clear and not without_tls and not is_loopback(listens):
        raise InvalidInput(
            f"on {listens} others could read tokens and data on their way: give a certificate and its key "
            "(--tls-cert, --tls-key, or [tls]), or say --without-tls where something else protects the way",
            element="service.host",
        )
    resources = read.resources or default_resources()
    return ServiceConfig(
        directory=str(where),
        host=listens,
        port=port if port is not None else network["port"],
        policy=_policy(service, path),
        limits=read.limits,
        resources=resources,
        sessions=sessions,
        identity=_identity(read.identity, certificate),
        endpoints=read.endpoints,
        accounts=read.accounts,
        notifications=read.notifications,
        tls=certificate,
        outbound=read.outbound,
        staging=read.staging,
        information=read.information,
        environments=_environments(read.environments, resources, path),
        credentials=read.credentials,
        audit=read.audit,
    )


def _tls(read: dict[str, Any], given: Mapping[str, str | None]) -> TLSConfig | None:
    values = read | {name: os.path.abspath(value) for name, value in given.items() if value is not None}
    if not values:
        return None
    try:
        return msgspec.convert(values, type=TLSConfig)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{error}; a certificate and its key belong together", element="tls") from None


def _identity(read: dict[str, Any], tls: TLSConfig | None) -> dict[str, Any]:
    """The section ``[identity]``, in which `client_ca` switches certificates on."""
    if tls is None or tls.client_ca is None:
        return read
    x509 = read.get("x509", {})
    if not isinstance(x509, dict) or x509.get("ca_directory", tls.client_ca) != tls.client_ca:
        raise InvalidInput(
            f"identity.x509 trusts other CAs than {tls.client_ca}; leave one of them out", element="tls.client_ca"
        )
    return read | {"x509": x509 | {"ca_directory": tls.client_ca}}


def default_resources() -> dict[str, ResourceConfig]:
    """This machine, and the batch systems that it has."""
    found = {"local": ResourceConfig(type="local")}
    for name, plugin in registered(BATCH_GROUP).items():
        try:
            system = plugin.load()
        except Broken as error:
            log.warning("the batch system %s cannot be used: %s", name, error)
            continue
        # A system has one name here, though it may be asked for by several; what a function makes has no signs.
        signs = getattr(system, "signs", ()) if getattr(system, "name", None) == name else ()
        if signs and all(map(shutil.which, signs)):
            # After this machine: what fits here stays here, unless its user says otherwise.
            found[name] = ResourceConfig(type=name, preference=1, detected=True)
    return found


def _read(path: Path) -> _File:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), type=_File)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$.")
        raise InvalidInput(f"{path}: {message}", element=at.rstrip("`") or None) from error


def _environments(
    values: dict[str, EnvironmentConfig], resources: dict[str, ResourceConfig], path: Path
) -> tuple[RuntimeEnvironment, ...]:
    try:
        return environments(values, resources)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", element=error.element) from error


def _policy(values: dict[str, Any], path: Path) -> ServicePolicy:
    known = {field.name for field in fields(ServicePolicy)}
    for name, value in values.items():
        if name not in known:
            raise InvalidInput(
                f"{path}: service.{name} is not known; there are host, port, sessions, {', '.join(sorted(known))}",
                element=f"service.{name}",
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidInput(f"{path}: service.{name} must be a number, not {value!r}", element=f"service.{name}")
    try:
        return ServicePolicy(**values)
    except ValueError as error:
        raise InvalidInput(f"{path}: {error}", element="service") from error
