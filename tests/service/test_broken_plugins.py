"""Parts of other packages that cannot be loaded: nobody is kept from anything but them, and they are named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.endpoints.contract import Surroundings
from argosy.endpoints.mounted import open_endpoints
from argosy.executors.executor import JobExecutor
from argosy.identity.gate import open_gate
from argosy.languages import registry as languages
from argosy.launchers import registry as launchers
from argosy.model import InvalidInput, InvalidJobException
from argosy.outbound import OutboundPolicy, Url
from argosy.service.assemble import assemble
from argosy.service.config import default_resources, load_config
from argosy.service.faults import Faults
from argosy.staging import StagingConfig
from argosy.staging.registry import Schemes
from argosy.transport import open_transport
from tests.service.running import RunningService

GROUPS = ("batch", "endpoints", "executors", "identity", "languages", "launchers", "staging", "transports")
#: What is wrong with each, and what is said of it.
KINDS = {
    "lacking": ("no_such_package:Part", "the Python package no_such_package is not installed"),
    "raising": ("raising_part:Part", "RuntimeError: out of order"),
    "gone": ("gone_part:Part", "AttributeError: module 'gone_part' has no attribute 'Part'"),
}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of an installed package that registers broken parts of each kind."""
    packages = tmp_path / "packages"
    installed = packages / "broken_parts-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-parts\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, (value, _) in KINDS.items())
    (installed / "entry_points.txt").write_text("\n".join(f"[argosy.{group}]\n{lines}" for group in GROUPS))
    (packages / "raising_part.py").write_text("raise RuntimeError('out of order')\n")
    (packages / "gone_part.py").write_text("")
    monkeypatch.syspath_prepend(packages)
    caches = (languages._installed, languages._registered, launchers._registered, launchers.get_launcher)
    for cache in caches:
        cache.cache_clear()
    yield packages
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_named_where_it_is_asked_for(kind: str, broken: Path, tmp_path: Path) -> None:
    value, why = KINDS[kind]
    with pytest.raises(InvalidInput) as language:
        languages.language(kind)
    assert language.value.element == "language"
    with pytest.raises(InvalidInput) as endpoint:
        open_endpoints({kind: {}}, Surroundings.__new__(Surroundings))
    assert endpoint.value.element == f"endpoints.{kind}"
    with pytest.raises(InvalidInput) as gate:
        open_gate({kind: {}}, tmp_path, "me")
    assert gate.value.element == f"identity.{kind}"
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "argosy.toml").write_text(f'[resources.some]\ntype = "{kind}"\n')
    with pytest.raises(InvalidInput) as resource:
        assemble(load_config(str(tmp_path / "home")), Faults(None))
    assert resource.value.element == "resources.some.type"
    with pytest.raises(ValueError, match="Unable to load executor") as executor:
        JobExecutor.get_instance(kind)
    with pytest.raises(ImportError) as transport:
        open_transport(f"{kind}://host")
    with pytest.raises(InvalidJobException) as launcher:
        launchers.get_launcher(kind)
    for told in (language, endpoint, gate, resource, executor, transport, launcher):
        assert value in str(told.value)
        assert why in str(told.value)


@pytest.mark.anyio
async def test_the_others_are_there(broken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert languages.language("json").name == "json"
        assert "local" in default_resources()
    for value, _ in KINDS.values():
        assert caplog.text.count(value) == 2
    schemes = Schemes(StagingConfig(), OutboundPolicy(), str(tmp_path))
    lacking = {one.scheme: one.missing for one in schemes.capabilities()}
    assert {name: lacking[name] for name in KINDS} == {name: why for name, (_, why) in KINDS.items()}
    with pytest.raises(InvalidInput, match="raising: cannot be used on this service: RuntimeError: out of order"):
        schemes.of(Url.parse("raising://host/file"))
    await schemes.close()


def test_the_service_starts_and_tells(broken: Path, service: RunningService) -> None:
    service.fresh = True
    service.start(environ={"PYTHONPATH": str(broken)})
    with service.client() as client:
        assert client.service()
    service.stop()
    assert "Traceback" not in service.log()
    for value, _ in KINDS.values():
        assert value in service.log()
