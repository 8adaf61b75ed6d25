"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import gsissh as gsisshs
from tests.servers import slurmrestd as slurmrestds
from tests.servers.accounts import ensure_accounts
from tests.servers.gridengine import ENVIRONMENT, PROGRAMS, ensure_gridengine
from tests.servers.needs import NotHere, absent
from tests.servers.simpleca import SimpleCA, ensure_simpleca
from tests.servers.slurm import ensure_slurm
from tests.servers.sshd import Sshd, ensure_sshd, running

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background makes all that they start deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# No example has too little time because the machine is busy; Hypothesis does the same by itself where CI is set.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

#: What says of a test that it needs real servers, or accounts: these fixtures, and these marks.
_SERVERS = {"slurm", "slurmrestd", "gridengine", "sshd", "gsissh", "accounts"}
_MARKS = ("slurm", "slurmrestd", "gridengine", "ssh")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs servers, so that SERVERS=no leaves it out."""
    for item in items:
        if _SERVERS.intersection(getattr(item, "fixturenames", ())) or any(map(item.get_closest_marker, _MARKS)):
            item.add_marker("servers")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def slurm() -> None:
    """A real Slurm on this machine. Without one the test is skipped; where CI is set it fails."""
    try:
        ensure_slurm()
    except NotHere as error:
        absent(f"there is no Slurm: {error}")


@pytest.fixture(scope="session")
def slurmrestd(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurmrestds.Slurmrestd]:
    """A real slurmrestd beside the real Slurm. As `slurm` where there is none."""
    try:
        with slurmrestds.running(tmp_path_factory.mktemp("slurmrestd")) as server:
            yield server
    except NotHere as error:
        absent(f"there is no slurmrestd: {error}")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd on this machine. Without one the test is skipped; where CI is set it fails."""
    try:
        ensure_sshd()
        with running(tmp_path_factory.mktemp("sshd")) as server:
            yield server
    except NotHere as error:
        absent(f"there is no sshd: {error}")


@pytest.fixture(scope="session")
def gsissh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gsisshs.Gsissh]:
    """A program gsissh that lets Alice of a real CA into a real server; her proxy is `gsissh.directory` / "proxy"."""
    try:
        ensure_sshd()
        ensure_simpleca()
        grid = SimpleCA(tmp_path_factory.mktemp("grid"))
        grid.user("alice", "Alice Example")
        with running(tmp_path_factory.mktemp("gsisshd")) as server:
            users = {"/O=Grid/OU=argosy/CN=Alice Example": (server.user_key, server.user)}
            made = gsisshs.install(tmp_path_factory.mktemp("gsissh"), grid, server, users)
            made.proxy("alice", made.directory / "proxy")
            yield made
    except NotHere as error:
        absent(error)


@pytest.fixture
def gridengine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real Grid Engine on this machine, which this process's environment leads to. As `slurm` where there is none."""
    try:
        ensure_gridengine()
    except NotHere as error:
        absent(f"there is no Grid Engine: {error}")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{PROGRAMS}:{os.environ['PATH']}")


@pytest.fixture(scope="session")
def accounts() -> None:
    """Real accounts on this machine. As `slurm` where they cannot be made."""
    try:
        ensure_accounts()
    except NotHere as error:
        absent(f"there are no accounts: {error}")
