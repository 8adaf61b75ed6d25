"""From a configuration to a service that can be opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from argosy.executors.batch.driver import BatchConfig, BatchDriver
from argosy.executors.batch.reconcile import Policy
from argosy.executors.contract import Driver
from argosy.executors.executor import BATCH_GROUP
from argosy.executors.local.driver import LocalDriver
from argosy.model import InvalidInput
from argosy.store.sqlite import SQLiteStore
from argosy.transport.local import LocalTransport

from .config import ResourceConfig, ServiceConfig
from .faults import Faults
from .resources import Resource
from .service import ExecutionService


def assemble(config: ServiceConfig, faults: Faults) -> ExecutionService:
    """The service that the configuration describes, not opened yet. The caller holds the directory's lock."""
    directory = Path(config.directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    resources = {
        name: Resource(name, _driver(name, resource, directory, faults)) for name, resource in config.resources.items()
    }
    store = SQLiteStore(directory / "argosy.db")
    return ExecutionService(store, config.sessions, resources, config.policy, faults, alone=True)


def _driver(name: str, config: ResourceConfig, directory: Path, faults: Faults) -> Driver:
    environ = job_environment()
    if config.type == "local":
        return LocalDriver(str(directory / "local"), slots=config.slots, environ=environ)
    found = {entry.name: entry for entry in entry_points(group=BATCH_GROUP)}
    if config.type not in found:
        known = ", ".join(["local", *sorted(found)])
        raise InvalidInput(
            f"{config.type!r} is no kind of resource; there are {known}", element=f"resources.{name}.type"
        )
    factory: Callable[[], object] = found[config.type].load()
    return BatchDriver(
        factory(),  # type: ignore[arg-type]  # what is registered there is a BatchSystem
        LocalTransport(environ),
        config.spool or str(directory / "spool" / name),
        BatchConfig(
            poll=config.poll,
            command_timeout=config.command_timeout,
            policy=Policy(lost_after=config.lost_after),
        ),
        fault=faults,
    )


def job_environment() -> dict[str, str]:
    """What jobs and batch commands start with: this process's environment without what is Argosy's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")}
