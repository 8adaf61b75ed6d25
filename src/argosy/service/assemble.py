"""From a configuration to a service that can be opened."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import structs

from argosy.accounts import open_accounts
from argosy.accounts.commands import AgentTransport
from argosy.batch import BatchSystem
from argosy.delegation import Keeper, Vault, open_vault
from argosy.delegation.keyring import read_key
from argosy.delegation.renewal import Renewer
from argosy.delegation.sealing import vault_of
from argosy.executors.batch.driver import BatchConfig, BatchDriver
from argosy.executors.batch.reconcile import Policy
from argosy.executors.contract import Driver
from argosy.executors.executor import BATCH_GROUP
from argosy.executors.local.driver import LocalDriver
from argosy.model import InvalidInput
from argosy.model.plugins import Broken, registered
from argosy.outbound import OutboundPolicy
from argosy.staging import Staging
from argosy.store import activity_of
from argosy.store.sqlite import SQLiteStore
from argosy.transport import open_transport, takes_proxies
from argosy.transport.local import LocalTransport

from .accounts import AccountDriver, Seats
from .accounts.mover import greeting
from .config import ResourceConfig, ServiceConfig
from .faults import Faults
from .files.sessions import Sessions
from .information.about import default_authority
from .matching.resources import Resource
from .owners.driver import OwnerDriver, OwnerSeat
from .owners.logins import Logins
from .remote import RemoteDriver
from .service import ExecutionService


def assemble(config: ServiceConfig, faults: Faults) -> ExecutionService:
    """The service that the configuration describes, not opened yet. The caller holds the directory's lock."""
    directory = Path(config.directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    accounts = open_accounts(config.accounts)
    seats = None if accounts is None else Seats(accounts, greeting(config.staging, config.outbound))
    vault = _vault(config, directory)
    store = SQLiteStore(directory / "argosy.db", sealer=vault)
    keeper = _keeper(store, vault, config)
    logins = Logins(keeper, directory / "logins")
    logins.clear()
    resources = {
        name: Resource(
            name,
            _driver(name, resource, directory, config.sessions, faults, seats, logins),
            config=resource,
            by_owner=_by_owner(name, resource),
        )
        for name, resource in config.resources.items()
    }
    about = config.information
    if not about.authority:
        about = structs.replace(about, authority=default_authority(config.directory))
    outbound = OutboundPolicy.of(config.outbound)
    return ExecutionService(
        store,
        config.sessions,
        resources,
        config.policy,
        faults,
        limits=config.limits,
        alone=True,
        outbound=outbound,
        staging=Staging(config.staging, outbound, str(directory / "staging"), faults),
        notifying=config.notifications,
        source=f"urn:argosy:{_own_name(directory)}",
        about=about,
        environments=config.environments,
        keeper=keeper,
        seats=seats,
        logins=logins,
    )


def _vault(config: ServiceConfig, directory: Path) -> Vault:
    """What seals the secrets of users in the database, credentials and subscriptions alike."""
    wanted = config.credentials
    if wanted.key_ring is not None:
        if wanted.key_file is not None:
            raise InvalidInput("the key is in a file or in the key ring; name one", element="credentials.key_ring")
        return vault_of(read_key(wanted.key_ring), f"the key {wanted.key_ring}", "credentials.key_ring")
    if wanted.key_file is not None:
        return open_vault(Path(wanted.key_file))
    return open_vault(directory / "credentials.key", make=True)


def _keeper(store: SQLiteStore, vault: Vault, config: ServiceConfig) -> Keeper:
    wanted = config.credentials
    if (wanted.certificate is None) != (wanted.key is None):
        raise InvalidInput("a certificate and its key go together", element="credentials.certificate")
    renewer = Renewer(
        myproxy=wanted.myproxy,
        issuers=wanted.issuers,
        ca_directory=config.identity.get("x509", {}).get("ca_directory"),
        certificate=(wanted.certificate, wanted.key) if wanted.certificate and wanted.key else None,
    )
    return Keeper(store, vault, renewer)


def _driver(
    name: str,
    config: ResourceConfig,
    directory: Path,
    sessions: str,
    faults: Faults,
    seats: Seats | None,
    logins: Logins,
) -> Driver:
    environ = job_environment()
    if (config.credential is not None or config.delegate) and not _takes_proxies(name, config):
        raise InvalidInput(
            "proxies are taken by a host whose url begins with gsissh://, and by what other transport says so",
            element=f"resources.{name}.{'delegate' if config.credential is None else 'credential'}",
        )
    if config.type == "local":
        if seats is not None:
            raise InvalidInput(
                "processes of this machine all belong to the service's account; with [accounts] use a batch system",
                element=f"resources.{name}.type",
            )
        if config.url is not None:
            raise InvalidInput(
                "a resource of type local is this machine and has no url", element=f"resources.{name}.url"
            )
        if config.options:
            raise InvalidInput("a resource of type local has no options", element=f"resources.{name}.options")
        return LocalDriver(str(directory / "local"), slots=config.slots, environ=environ)
    found = registered(BATCH_GROUP)
    if config.type not in found:
        known = ", ".join(["local", *found])
        raise InvalidInput(
            f"{config.type!r} is no kind of resource; there are {known}", element=f"resources.{name}.type"
        )
    try:
        factory = found[config.type].load()
    except Broken as error:
        raise InvalidInput(str(error), element=f"resources.{name}.type") from error
    system = _system(factory, config, name)
    batch = BatchConfig(
        poll=config.poll,
        command_timeout=config.command_timeout,
        policy=Policy(lost_after=config.lost_after),
    )
    distant = config.spool or f"~/.local/state/argosy/service/{_own_name(directory)}/{name}"
    if config.url is None:
        spool = config.spool or str(directory / "spool" / name)
        base = BatchDriver(system, LocalTransport(environ), spool, batch, fault=faults)
        if seats is None:
            return base

        def make(account: str) -> Driver:
            transport = AgentTransport(seats.agent(account))
            place = distant.replace("{account}", account)
            return BatchDriver(_system(factory, config, name), transport, place, batch, fault=faults)

        return AccountDriver(base, make, seats.config.idle)
    if seats is not None:
        raise InvalidInput(
            "with [accounts] the batch system's commands must be on this machine", element=f"resources.{name}.url"
        )
    more: dict[str, Any] = {"delegate": config.delegate} if _takes_proxies(name, config) else {}
    try:
        transport = open_transport(config.url, config=config.ssh_config, **more)
    except (ValueError, ImportError) as error:
        raise InvalidInput(str(error), element=f"resources.{name}.url") from error
    remote = RemoteDriver(system, transport, distant, batch, sessions=sessions, fault=faults)
    if not _by_owner(name, config):
        return remote
    at = Sessions(sessions, faults)

    def seat(text: str) -> Driver:
        own = open_transport(config.url, config=config.ssh_config, credential=logins.credential(name, text), **more)
        # Each has a spool of its own, for several may come to the same account.
        place = f"{distant}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        made = OwnerSeat(_system(factory, config, name), own, place, batch, sessions=sessions, fault=faults)
        made.session_of = lambda tag: at.path(activity_of(tag))
        return made

    return OwnerDriver(remote, seat)


def _takes_proxies(name: str, config: ResourceConfig) -> bool:
    try:
        return config.url is not None and takes_proxies(config.url)
    except (ValueError, ImportError) as error:
        raise InvalidInput(str(error), element=f"resources.{name}.url") from error


def _by_owner(name: str, config: ResourceConfig) -> bool:
    """Whether the resource's host is logged in to with the proxy of each activity's owner."""
    return _takes_proxies(name, config) and config.credential != "service"


def _system(factory: Callable[..., BatchSystem], config: ResourceConfig, name: str) -> BatchSystem:
    try:
        return factory(config.options) if config.options else factory()
    except InvalidInput as error:
        raise InvalidInput(error.message, element=f"resources.{name}.{error.element or 'options'}") from error


def _own_name(directory: Path) -> str:
    """Tells this service's spools on another host from those of the user's other services."""
    return hashlib.sha256(f"{socket.gethostname()}:{directory}".encode()).hexdigest()[:16]


def job_environment() -> dict[str, str]:
    """What jobs and batch commands start with: this process's environment without what is Argosy's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")}
