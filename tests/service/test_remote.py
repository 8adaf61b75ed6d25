"""A resource on another host: its configuration, and the session directories that it must see."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from argosy.batch.slurm import Slurm
from argosy.executors.batch.driver import BatchConfig
from argosy.executors.contract import JobRequest
from argosy.model import InvalidInput, JobSpec, SubmitException
from argosy.service.assemble import assemble
from argosy.service.config import load_config
from argosy.service.faults import Faults
from argosy.service.remote import RemoteDriver
from argosy.transport import Credential
from argosy.transport.local import LocalTransport


class Elsewhere(LocalTransport):
    """A host that has files of its own."""

    where = "elsewhere"

    async def read(self, path: str) -> bytes | None:
        return None


@pytest.mark.anyio
async def test_a_host_that_does_not_see_the_sessions_gets_no_job(tmp_path: Path) -> None:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    transport = Elsewhere()
    driver = RemoteDriver(
        Slurm(), transport, str(tmp_path / "spool"), BatchConfig(), sessions=str(sessions), fault=lambda point: None
    )
    (error,) = await driver.submit([JobRequest("never-submitted", JobSpec("/bin/true"))])
    assert isinstance(error, SubmitException)
    assert error.transient
    assert "elsewhere does not see" in error.message
    assert str(sessions) in error.message
    assert not list(sessions.iterdir())
    await transport.close()


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ('type = "slurm"\nurl = "ssh://me:secret@host"', "password"),
        ('type = "slurm"\nurl = "host"', "begins with one of"),
        ('type = "local"\nurl = "ssh://host"', "has no url"),
    ],
)
def test_a_url_that_cannot_be_used_is_the_elements_fault(tmp_path: Path, resource: str, words: str) -> None:
    (tmp_path / "argosy.toml").write_text(f"[resources.x]\n{resource}\n")
    with pytest.raises(InvalidInput, match=words) as caught:
        assemble(load_config(tmp_path), Faults(None))
    assert caught.value.element == "resources.x.url"


@pytest.mark.parametrize(
    ("field", "url"), [("credential", "ssh://host"), ("delegate", "ssh://host"), ("credential", None)]
)
def test_proxies_are_for_hosts_that_take_them(tmp_path: Path, field: str, url: str | None) -> None:
    value = '"owner"' if field == "credential" else "true"
    where = "" if url is None else f'url = "{url}"\n'
    (tmp_path / "argosy.toml").write_text(f'[resources.x]\ntype = "slurm"\n{where}{field} = {value}\n')
    with pytest.raises(InvalidInput, match="gsissh://") as caught:
        assemble(load_config(tmp_path), Faults(None))
    assert caught.value.element == f"resources.x.{field}"


@pytest.mark.parametrize("credential", ["owner", "service"])
def test_another_packages_transport_may_take_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credential: str
) -> None:
    installed = tmp_path / "packages" / "myway-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: myway\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[argosy.transports]\nmyway = my_{credential}:MyWay\n")
    (tmp_path / "packages" / f"my_{credential}.py").write_text(
        "from argosy.transport.local import LocalTransport\n"
        "class MyWay(LocalTransport):\n"
        "    takes_proxies = True\n"
        "    made = []\n"
        "    def __init__(self, url, *, config=None, credential=None, delegate=False):\n"
        "        super().__init__()\n"
        "        self.made.append((credential, delegate))\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "packages")
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "argosy.toml").write_text(
        f'[resources.x]\ntype = "slurm"\nurl = "myway://host"\ncredential = "{credential}"\ndelegate = true\n'
    )
    service = assemble(load_config(tmp_path / "home"), Faults(None))
    made = importlib.import_module(f"my_{credential}").MyWay.made
    resource = service._resources["x"]
    assert resource.by_owner == (credential == "owner")
    assert made == [(None, True)]
    if credential == "owner":
        resource.driver._make("alice")
        lent, delegate = made[1]
        assert isinstance(lent, Credential)
        assert delegate


def test_a_resource_on_another_host_connects_to_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "argosy.toml").write_text(
        '[resources.x]\ntype = "slurm"\nurl = "ssh://me@host"\nssh_config = "/etc/ssh/argosy"\n'
    )
    assemble(load_config(tmp_path), Faults(None))
