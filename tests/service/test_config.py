from __future__ import annotations

from pathlib import Path

import pytest

from argosy.model import InvalidInput
from argosy.service.assemble import assemble, job_environment
from argosy.service.config import load_config
from argosy.service.faults import Faults


def test_without_a_file_there_is_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config = load_config(tmp_path)
    assert list(config.resources) == ["local"]
    assert (config.host, config.port) == ("127.0.0.1", 0)


def test_a_batch_system_is_given_its_options(tmp_path: Path) -> None:
    for options, element in (
        ('socket = "/s"', None),
        ('socket = "s"', "resources.mine.options.socket"),
        ("nosuch = 1", "resources.mine.options.nosuch"),
    ):
        (tmp_path / "argosy.toml").write_text(
            f'[resources.mine]\ntype = "slurmrestd"\n[resources.mine.options]\n{options}\n'
        )
        config = load_config(tmp_path)
        if element is None:
            assemble(config, Faults())
            continue
        with pytest.raises(InvalidInput) as caught:
            assemble(config, Faults())
        assert caught.value.element == element


@pytest.mark.parametrize("kind", ["local", "slurm"])
def test_options_are_for_those_that_have_any(tmp_path: Path, kind: str) -> None:
    (tmp_path / "argosy.toml").write_text(f'[resources.mine]\ntype = "{kind}"\noptions.x = 1\n')
    with pytest.raises(InvalidInput) as caught:
        assemble(load_config(tmp_path), Faults())
    assert (caught.value.element or "").startswith("resources.mine.options")


def test_a_batch_system_on_path_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sbatch").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(load_config(tmp_path).resources) == ["local", "slurm"]


def test_a_file_names_resources(tmp_path: Path) -> None:
    (tmp_path / "argosy.toml").write_text(
        '[service]\nport = 8080\nretention = 100000\nsessions = "/s"\n[resources.mine]\ntype = "slurm"\npoll = 5\n'
    )
    config = load_config(tmp_path, port=9)
    assert (config.port, config.policy.retention, config.sessions) == (9, 100000, "/s")
    assert config.resources["mine"].poll == 5


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("[service]\nnosuch = 1\n", "service.nosuch"),
        ('[service]\nretention = "long"\n', "service.retention"),
        ("[service]\nretention = 60\n", "service"),
        ('[service]\nsessions = "relative"\n', "service.sessions"),
        ('[resources.x]\ntype = "local"\nslots = 0\n', "resources[...].slots"),
        ('[resources.x]\ntype = "local"\nnosuch = 0\n', "resources[...]"),
        ("not toml", None),
    ],
)
def test_a_bad_file_is_refused_with_its_element(tmp_path: Path, text: str, element: str | None) -> None:
    (tmp_path / "argosy.toml").write_text(text)
    with pytest.raises(InvalidInput, match=r"argosy\.toml") as caught:
        load_config(tmp_path)
    assert caught.value.element == element


def test_an_unknown_kind_of_resource_is_refused(tmp_path: Path) -> None:
    (tmp_path / "argosy.toml").write_text('[resources.x]\ntype = "nosuch"\n')
    with pytest.raises(InvalidInput, match=r"there are local, .*slurm"):
        assemble(load_config(tmp_path), Faults())


def test_jobs_do_not_inherit_what_is_argosys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_TOKEN", "secret")
    assert "ARGOSY_TOKEN" not in job_environment()


def test_an_unknown_fault_point_is_refused() -> None:
    with pytest.raises(ValueError, match="submit-after"):
        Faults("nosuch")
