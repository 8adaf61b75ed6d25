"""With the grid's own programs: proxies of grid-proxy-init in handshakes, GridFTP, and renewal from MyProxy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from argosy.client import Client, Endpoint
from argosy.delegation import Vault
from argosy.delegation.kinds import Secret
from argosy.delegation.proxies import sign
from argosy.delegation.renewal import Renewer
from argosy.identity import Caller
from argosy.languages.documents_credentials import NewCredential, Renewal
from argosy.model import InvalidInput, Unavailable
from tests.delegation.conftest import Kept
from tests.identity.pki import header
from tests.servers import daemons
from tests.servers.needs import NotHere, absent, need
from tests.servers.simpleca import SimpleCA, ensure_simpleca
from tests.service.running import RunningService, until

pytestmark = pytest.mark.servers

ALICE = "/O=Grid/OU=argosy/CN=Alice Example"


class Grid:
    """A CA, a service that trusts it, and storage for its user."""

    def __init__(self, ca: SimpleCA, storage: daemons.Daemon, service: RunningService) -> None:
        self.ca = ca
        self.storage = storage
        self.service = service

    @property
    def url(self) -> str:
        import json

        return str(json.loads((self.service.directory / "endpoint.json").read_text())["url"])

    def file(self, name: str, *options: str) -> Path:
        path = self.ca.path / f"sent-{name}"
        path.write_bytes(self.ca.proxy(*options))
        path.chmod(0o600)
        return path

    def client(self, proxy: Path) -> Client:
        (anchor,) = self.ca.certificates.glob("*.0")
        return Client(Endpoint(self.url, "", ca_file=str(anchor), certificate=str(proxy)))


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    with ExitStack() as stack:
        try:
            ensure_simpleca()
            ca = SimpleCA(stack.enter_context(daemons.directory()))
            ca.user("user", "Alice Example")
            names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
            ca.certificate("host", "localhost", names)
            storage = stack.enter_context(daemons.gridftp(pki=ca.path, users=[ALICE]))
        except NotHere as error:
            absent(error)
        home = tmp_path_factory.mktemp("grid") / "home"
        home.mkdir(mode=0o700)
        (home / "argosy.toml").write_text(
            f"""
            [resources.local]
            type = "local"
            [tls]
            cert = "{ca.path}/host.cert"
            key = "{ca.path}/host.key"
            client_ca = "{ca.certificates}"
            [identity]
            users = ["{ALICE}"]
            [identity.x509]
            [outbound]
            allow = ["127.0.0.0/8", "localhost"]
            [staging]
            ca_directory = "{ca.certificates}"
            """
        )
        service = RunningService(home)
        service.start()
        stack.callback(service.end)
        yield Grid(ca, storage, service)


@pytest.mark.parametrize("options", [["-rfc"], ["-draft"], ["-old"], ["-rfc", "-path-length", "0"]])
def test_proxies_of_every_kind_in_the_handshake(grid: Grid, options: list[str]) -> None:
    with grid.client(grid.file("-".join(options), *options)) as client:
        assert client.submit({"executable": "/bin/true", "held": True}).owner == ALICE


def test_a_limited_one_is_refused_with_the_reason(grid: Grid) -> None:
    (anchor,) = grid.ca.certificates.glob("*.0")
    proxy = grid.file("limited", "-limited")
    done = subprocess.run(
        ["curl", "-sS", "--cacert", anchor, "-E", proxy, f"{grid.url}/v1/activities"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "limited one, which may not run jobs" in done.stdout, done.stderr


def test_gridftp_with_a_delegated_proxy(grid: Grid) -> None:
    """From a proxy to a proxy of it, whose key the service made, and with that to the storage and back."""
    mine = grid.file("mine", "-rfc")
    source = grid.storage.data / "in.dat"
    source.write_bytes(b"kept by GridFTP")
    source.chmod(0o644)
    with grid.client(mine) as client:
        kept = client.delegate(lambda asked: sign(asked, mine.read_bytes(), lifetime=3600))
        assert kept.subject == ALICE
        done = client.wait(
            client.submit(
                {
                    "executable": "/bin/cp",
                    "arguments": ["in.dat", "out.dat"],
                    "inputs": [{"path": "in.dat", "sources": [f"{grid.storage.url}/in.dat"]}],
                    "outputs": [{"path": "out.dat", "targets": [f"{grid.storage.url}/out.dat"]}],
                    "credentials": [kept.id],
                }
            ).id,
            90,
        )
    assert done.state == "finished", done.reason
    assert (grid.storage.data / "out.dat").read_bytes() == b"kept by GridFTP"


def test_the_proxy_of_a_request_is_a_credential_too(grid: Grid) -> None:
    (anchor,) = grid.ca.certificates.glob("*.0")
    headers = {"PROXY": header(grid.ca.proxy("-rfc"))}
    import ssl

    context = ssl.create_default_context(cafile=str(anchor))
    with httpx.Client(verify=context, base_url=grid.url, trust_env=False, timeout=60) as client:
        made = client.post("/v1/credentials", json={"kind": "proxy", "from_request": True}, headers=headers)
        assert (made.status_code, made.json()["subject"]) == (201, ALICE)


@pytest.fixture
def myproxy(grid: Grid) -> Iterator[str]:
    server, _ = need("myproxy-server", "myproxy-init")
    with daemons.directory() as where:
        store = where / "store"
        store.mkdir(mode=0o700)
        config = where / "config"
        config.write_text(
            'accepted_credentials "*"\nauthorized_retrievers "*"\ndefault_retrievers "*"\n'
            'authorized_renewers "*"\ndefault_renewers "none"\n'
        )
        config.chmod(0o600)
        port = daemons.free_port()
        environ = {
            "X509_CERT_DIR": str(grid.ca.certificates),
            "X509_USER_CERT": str(grid.ca.path / "host.cert"),
            "X509_USER_KEY": str(grid.ca.path / "host.key"),
            "X509_USER_PROXY": "/nonexistent",
        }
        # In the foreground it would serve one connection alone.
        command = [server, "-c", config, "-s", store, "-p", str(port), "-l", "127.0.0.1", "-P", where / "pid"]
        subprocess.run(command, env=os.environ | environ, check=True, timeout=30)
        until(lambda: (where / "pid").exists() and _answers(port), 20)
        try:
            stored = subprocess.run(
                ["myproxy-init", "-s", "localhost", "-p", str(port), "-l", "alice", "-S", "-c", "24", "-t", "12",
                 "-C", grid.ca.path / "user.cert", "-y", grid.ca.path / "user.key"],
                input="a-passphrase\n", capture_output=True, text=True, timeout=60, check=False,
                env=os.environ | {"X509_CERT_DIR": str(grid.ca.certificates), "HOME": str(grid.ca.path)},
            )  # fmt: skip
            assert stored.returncode == 0, stored.stdout + stored.stderr
            yield f"localhost:{port}"
        finally:
            os.kill(int((where / "pid").read_text()), signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.anyio
async def test_a_proxy_is_renewed_from_a_myproxy_server(grid: Grid, myproxy: str, kept: Kept) -> None:
    kept.open(Vault([bytes(32)]), Renewer(myproxy=[myproxy], ca_directory=str(grid.ca.certificates)))
    caller = Caller(ALICE)
    renewal = Renewal(myproxy=myproxy, username="alice", passphrase="a-passphrase")
    pem = grid.ca.proxy("-rfc", "-valid", "0:30").decode()
    made = await kept.keeper.add(caller, NewCredential(kind="proxy", pem=pem, renewal=renewal))
    assert made.renew_at is not None
    kept.now = 25 * 60
    await kept.keeper.renew_due()
    renewed = await kept.keeper.look(caller, made.id)
    assert "renewal_error" not in renewed.rest, renewed.rest
    assert renewed.expires is not None
    assert made.expires is not None
    assert renewed.expires > made.expires + 3600
    assert kept.told == [made.id]
    (opened,) = await kept.keeper.open(ALICE, [made.id])
    assert opened.secret.pem != pem
    # A wrong passphrase is told in the server's own words, and never itself.
    wrong = Renewal(myproxy=myproxy, username="alice", passphrase="not-the-passphrase")
    other = await kept.keeper.add(caller, NewCredential(kind="proxy", pem=pem, renewal=wrong))
    kept.now = 29 * 60
    await kept.keeper.renew_due()
    said = (await kept.keeper.look(caller, other.id)).rest["renewal_error"]
    assert "gives no proxy" in said
    assert "not-the-passphrase" not in said
    away = Renewal(myproxy="localhost:1", username="alice", passphrase="x")
    with pytest.raises(Unavailable):
        await Renewer(myproxy=["localhost:1"]).renew("proxy", opened.secret, away)


@pytest.mark.anyio
async def test_a_proxy_is_renewed_by_showing_it(grid: Grid, myproxy: str, kept: Kept) -> None:
    """Stored without a passphrase, for this service to renew (myproxy-init -R): no secret but the proxy is kept."""
    port = myproxy.partition(":")[2]
    stored = subprocess.run(
        ["myproxy-init", "-s", "localhost", "-p", port, "-l", "renewable", "-R", "localhost", "-n", "-c", "24",
         "-t", "12", "-C", grid.ca.path / "user.cert", "-y", grid.ca.path / "user.key"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"X509_CERT_DIR": str(grid.ca.certificates), "HOME": str(grid.ca.path)},
    )  # fmt: skip
    assert stored.returncode == 0, stored.stdout + stored.stderr
    own = str(grid.ca.path / "host.cert"), str(grid.ca.path / "host.key")
    renewer = Renewer(myproxy=[myproxy], ca_directory=str(grid.ca.certificates), certificate=own)
    kept.open(Vault([bytes(32)]), renewer)
    pem = grid.ca.proxy("-rfc", "-valid", "0:30").decode()
    renewal = Renewal(myproxy=myproxy, username="renewable")
    made = await kept.keeper.add(Caller(ALICE), NewCredential(kind="proxy", pem=pem, renewal=renewal))
    kept.now = 25 * 60
    await kept.keeper.renew_due()
    renewed = await kept.keeper.look(Caller(ALICE), made.id)
    assert "renewal_error" not in renewed.rest, renewed.rest
    assert (renewed.expires or 0) > (made.expires or 0) + 3600
    (opened,) = await kept.keeper.open(ALICE, [made.id])
    # What came is shown in its turn.
    assert (await renewer.renew("proxy", opened.secret, renewal)).secret.pem
    # Whoever has another's proxy gets nothing for it, and whoever is no renewer gets nothing at all.
    grid.ca.user("mallory", "Mallory Example")
    with pytest.raises(Unavailable, match="gives no proxy"):
        await renewer.renew("proxy", Secret(pem=grid.ca.proxy("-rfc", user="mallory").decode()), renewal)
    nobody = str(grid.ca.path / "mallory.cert"), str(grid.ca.path / "mallory.key")
    other = Renewer(myproxy=[myproxy], ca_directory=str(grid.ca.certificates), certificate=nobody)
    with pytest.raises(Unavailable, match="gives no proxy"):
        await other.renew("proxy", Secret(pem=pem), renewal)
    with pytest.raises(InvalidInput, match="no certificate of its own"):
        Renewer(myproxy=[myproxy]).check("proxy", renewal)
