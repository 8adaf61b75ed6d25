"""What the configuration says of shares and runtime environments is checked where it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from argosy.model import EnvironmentRequest, InvalidInput, RuntimeEnvironment, Share
from argosy.service.config import load_config
from argosy.service.matching.environments import Picked, check_requests, pick
from argosy.service.matching.resources import Resource
from argosy.service.matching.share_config import Allow, ShareConfig, SharesConfig, configured, of_queue
from argosy.service.matching.verdicts import Standing
from tests.service.driving import ToldDriver

_MINE = '[resources.mine]\ntype = "local"\n'


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ('[environments."python"]', "environments.python.version"),
        ('[environments."python-x"]\nversion = "new"', "environments.python-x.version"),
        ('[environments."python-1"]\nscript = "relative"', "environments.python-1.script"),
        ('[environments."python-1"]\nshares = ["other"]', "environments.python-1.shares"),
        ('[environments."python-1"]\nnosuch = 1', "environments"),
        ('[environments."python-1"]\n[environments."p"]\nname = "python"\nversion = "1"', "environments.p"),
        ('[environments."python-1".variables]\n"not-a-name" = ""', "environments.python-1.variables.not-a-name"),
        (
            '[environments."python-1".parameters.x]\ndefault = "a"\nallowed = ["b"]',
            "environments.python-1.parameters.x.default",
        ),
        (
            '[environments."python-1".parameters.x]\nvariable = "BASH_ENV"',
            "environments.python-1.parameters.x.variable",
        ),
        ("[resources.mine.shares.q]\npreference = 1", "resources"),
        ("[resources.mine.shares.q]\nexpected_wait = -1", "resources"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, element: str) -> None:
    (tmp_path / "argosy.toml").write_text(_MINE + text)
    with pytest.raises(InvalidInput) as caught:
        load_config(tmp_path)
    assert (caught.value.element or "").startswith(element)


def test_names_and_versions_come_from_the_table_or_from_within(tmp_path: Path) -> None:
    (tmp_path / "argosy.toml").write_text(
        _MINE + '[environments."ENV/PROXY-2.1"]\n[environments.matlab]\nversion = "2024.1"\n'
        '[environments."a-b-1.0"]\n[environments."a-b-1.0".parameters.num-threads]\n'
    )
    made = load_config(tmp_path).environments
    assert [one.id for one in made] == ["ENV/PROXY-2.1", "matlab-2024.1", "a-b-1.0"]
    assert (made[2].name, made[2].parameters[0].variable) == ("a-b", "A_B_NUM_THREADS")


def test_a_queue_says_more_than_its_resource() -> None:
    everybody = Allow(users=("*",))
    config = SharesConfig(
        labels=("a",), max_wall=100, allow=everybody, shares={"q": ShareConfig(labels=("b",), max_wall=50)}
    )
    said = of_queue(config, "q")
    assert (said.labels, said.max_wall, said.allow) == (("a", "b"), 50, everybody)
    assert of_queue(config, "other").max_wall == 100
    assert configured(Share("q", True, max_wall=20), said).max_wall == 20, "the lower limit counts"
    assert configured(Share("q", True, architectures=("AMD64",)), said).architectures == ("x86_64",)


@pytest.mark.parametrize(
    ("share", "automatic", "standing"),
    [
        (Share("q", True, default=True, restricted=True), None, Standing.DEFAULT),
        (Share("q", True), None, Standing.OTHER),
        (Share("q", True, restricted=True), None, Standing.BY_NAME),
        (Share("q", True, restricted=True), True, Standing.DEFAULT),
        (Share("q", True, default=True), False, Standing.BY_NAME),
    ],
)
def test_which_queues_offer_themselves(share: Share, automatic: bool | None, standing: Standing) -> None:
    config = SharesConfig(shares={"q": ShareConfig(automatic=automatic)})
    resource = Resource("r", ToldDriver(), [share, Share("d", True, default=True)], opened=True, config=config)
    assert {one.share.name: one.standing for one in resource.candidates()}["q"] is standing


def test_a_resource_that_was_only_detected_gets_jobs_by_its_name_while_it_tells_nothing() -> None:
    resource = Resource("r", ToldDriver(), opened=True, config=SharesConfig(detected=True))
    assert [one.standing for one in resource.candidates()] == [Standing.BY_NAME]
    resource.shares = [Share("q", True)]
    assert [one.standing for one in resource.candidates()] == [Standing.DEFAULT]


VERSIONS = ["1.0", "1.2", "1.10", "2.0", "2.1rc1"]
HERE = [RuntimeEnvironment("x", version) for version in VERSIONS]


@pytest.mark.parametrize(
    ("asked", "got"),
    [("", "2.1rc1"), ("<2", "1.10"), (">=1,<1.10", "1.2"), ("~=1.2", "1.10"), ("1.2", "1.2"), ("!=2.1rc1", "2.0")],
)
def test_the_highest_version_that_satisfies(asked: str, got: str) -> None:
    assert pick([EnvironmentRequest("x", asked)], HERE) == Picked((f"x-{got}",), ())


@given(
    st.lists(st.sampled_from(VERSIONS), unique=True),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.sampled_from(VERSIONS),
)
def test_what_is_picked_satisfies(there: list[str], relation: str, bound: str) -> None:
    got = pick([EnvironmentRequest("x", relation + bound)], [one for one in HERE if one.version in there])
    holds = {
        "<": Version.__lt__, "<=": Version.__le__, ">": Version.__gt__,
        ">=": Version.__ge__, "==": Version.__eq__, "!=": Version.__ne__,
    }[relation]  # fmt: skip
    fitting = [version for version in there if holds(Version(version), Version(bound))]
    if fitting:
        assert got == Picked((f"x-{max(fitting, key=Version)}",), ())
    else:
        assert not isinstance(got, Picked)
        assert got.element == ("environments[0].version" if there else "environments[0].name")


@given(st.text(max_size=20))
def test_any_constraint_is_understood_or_refused_by_its_element(text: str) -> None:
    try:
        check_requests([EnvironmentRequest("x", text)])
    except InvalidInput as error:
        refused = error
    else:
        pick([EnvironmentRequest("x", text)], HERE)
        return
    assert refused.element == "environments[0].version"


def test_one_container_a_job() -> None:
    images = [RuntimeEnvironment(name, "1", container=f"/{name}.sif") for name in ("a", "b")]
    got = pick([EnvironmentRequest("a"), EnvironmentRequest("b", optional=True)], images)
    assert got == Picked(("a-1",), ("b",))
    assert not isinstance(pick([EnvironmentRequest("a"), EnvironmentRequest("b")], images), Picked)
