"""The people and machines of the use cases: a system of a resource's owner, end-users, and a storage resource."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Client, Endpoint
from argosy.identity.tokens import TokenStore
from tests.servers.needs import need
from tests.service.place import Place, running
from tests.service.running import RunningService

STAGING = Path(__file__).parents[2] / "examples" / "environments" / "staging.sh"

CONFIG = """
[service]
retry_first = 0.1
retry_most = 0.5
match_again = 0.2

[resources.local]
type = "local"

{slurm}

[identity.tokens]

[outbound]
allow = ["127.0.0.0/8"]

[staging]
retry_first = 0.05
retry_most = 0.1
attempts = 2

[notifications]
allow_http = true
retry_first = 0.2
retry_most = 1

[environments."staging-1.0"]
script = "{staging}"
variables = {{ STAGING_CREDENTIAL = "{home}/credential" }}
"""


class System(RunningService):
    """A service as the owner of a computational resource runs it, for users whom its tokens name."""

    def configure(self) -> None:
        self.directory.mkdir(mode=0o700)
        slurm = '[resources.slurm]\ntype = "slurm"\npoll = 1' if shutil.which("sbatch") else ""
        (self.directory / "credential").write_text("secret-of-the-storage\n")
        config = CONFIG.format(slurm=slurm, staging=STAGING, home=self.directory)
        (self.directory / "argosy.toml").write_text(config)

    def user(self, name: str) -> Client:
        """The system's own tool in a user's hands."""
        token, _ = TokenStore(self.directory).create(name, lifetime=3600)
        with self.client() as owner:
            url = owner.endpoint.url
        client = Client(Endpoint(url, token, None))
        self._clients.append(client)
        return client


def curl(client: Client, path: str, *more: str) -> tuple[int, str]:
    """Another tool, which knows nothing but the protocol: the status and the body of an answer."""
    need("curl")
    done = subprocess.run(
        ["curl", "-sS", "-K", "-", "-w", "\n%{http_code}", *more, client.endpoint.url + path],
        input=f'header = "Authorization: Bearer {client.endpoint.token}"\n',
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One that all tests use at the same time, as users do."""
    one = System(tmp_path_factory.mktemp("usecases") / "home")
    one.configure()
    one.start()
    yield one
    one.end()


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """One that a test may kill; not started."""
    one = System(tmp_path / "home")
    one.configure()
    yield one
    one.end()


@pytest.fixture(scope="session")
def alice(system: System) -> Client:
    """An end-user."""
    return system.user("alice")


@pytest.fixture(scope="session")
def bob(system: System) -> Client:
    """Another one."""
    return system.user("bob")


@pytest.fixture
def storage() -> Iterator[Place]:
    """A storage resource, with files of users."""
    with running() as place:
        yield place


@pytest.fixture(params=["local", pytest.param("slurm", marks=pytest.mark.slurm)])
def share(request: pytest.FixtureRequest) -> str:
    """Where the computation runs: processes of this machine, and a real Slurm."""
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    return str(request.param)
