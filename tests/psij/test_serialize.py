"""JSON of job specifications, as psij.serialize has it."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import argosy.psij as psij
from argosy.psij import Export, Import, InvalidJobException, JobAttributes, JobSpec, ResourceSpecV1
from argosy.psij.serialize import JSONSerializer

from .real import ask

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
SPECS = st.builds(
    JobSpec,
    executable=TEXT,
    arguments=st.none() | st.lists(TEXT, max_size=3),
    directory=st.none() | TEXT.map(lambda text: "/" + text),
    name=st.none() | TEXT,
    inherit_environment=st.booleans(),
    environment=st.none() | st.dictionaries(NAMES, TEXT | st.integers(), max_size=3),
    stdout_path=st.none() | TEXT,
    resources=st.none()
    | st.builds(
        ResourceSpecV1,
        process_count=st.none() | st.integers(1, 9),
        cpu_cores_per_process=st.none() | st.integers(1, 9),
        exclusive_node_use=st.booleans(),
        memory=st.none() | st.integers(1, 1 << 50),
    ),
    attributes=st.builds(
        JobAttributes,
        duration=st.none()
        | st.timedeltas(timedelta(microseconds=1000), timedelta(days=99)).map(
            lambda value: timedelta(milliseconds=value // timedelta(milliseconds=1))
        ),
        queue_name=st.none() | st.just("q"),
        account=st.none() | st.just("a b"),
        custom_attributes=st.none() | st.just({"slurm.constraint": "x", "slurm.nice": 3, "note": "mine"}),
    ),
    launcher=st.none() | st.just("multiple"),
)


@given(SPECS)
def test_a_round_trip_gives_an_equal_specification(spec: JobSpec) -> None:
    serializer = JSONSerializer()
    text = serializer.dumps(spec)
    assert serializer.loads(text) == spec
    assert serializer._to_spec(serializer._from_spec(spec)) == spec
    stream = io.StringIO()
    serializer.dump(spec, stream)
    stream.seek(0)
    assert serializer.load(stream) == spec


def test_a_duration_is_not_lost() -> None:
    spec = JobSpec("/bin/true", attributes=JobAttributes(duration=timedelta(hours=1, seconds=1.5)))
    text = JSONSerializer().dumps(spec)
    assert json.loads(text)["attributes"]["duration"] == "3601.5 s"
    assert JSONSerializer().loads(text).attributes.duration == timedelta(seconds=3601.5)


def test_an_empty_specification() -> None:
    assert JSONSerializer().loads(JSONSerializer().dumps(JobSpec())) == JobSpec()


_SPEC = """
def spec(module):
    from datetime import timedelta
    from pathlib import Path
    return module.JobSpec(
        "/bin/x", ["a"], Path("/d"), environment={"A": "1"}, stdout_path=Path("o"),
        resources=module.ResourceSpecV1(node_count=2, processes_per_node=3),
        attributes=module.JobAttributes(queue_name="q", duration=timedelta(hours=1)),
    )
"""


def test_what_is_written_is_what_psij_python_writes(tmp_path: Path) -> None:
    theirs = ask(
        _SPEC + "import psij; from psij.serialize import JSONSerializer; print(JSONSerializer().dumps(spec(psij)))",
        tmp_path,
    )
    names: dict[str, Any] = {}
    exec(_SPEC, names)
    spec = names["spec"](psij)
    assert JSONSerializer()._to_spec(theirs) == spec
    theirs["attributes"].pop("project_name", None)
    assert json.loads(JSONSerializer().dumps(spec)) == theirs


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ('{"executable": 1}', "executable"),
        ('{"nosuch": 1}', "nosuch"),
        ('{"attributes": {"duration": "soon"}}', None),
        ('{"resources": {"__version": 9}}', "resources.__version"),
        ("[]", None),
        ("{", None),
    ],
)
def test_what_is_wrong_is_named(text: str, element: str | None) -> None:
    with pytest.raises(InvalidJobException) as caught:
        JSONSerializer().loads(text)
    if element is not None:
        assert caught.value.element == element


def test_files_of_the_early_releases(tmp_path: Path) -> None:
    spec = JobSpec("/bin/x", ["a"], name="n")
    assert Export().export(obj=spec, dest=tmp_path / "spec.json")
    assert json.loads((tmp_path / "spec.json").read_text())["type"] == "JobSpec"
    assert Import().load(src=tmp_path / "spec.json") == spec
    assert Import().from_dict(Export().to_dict(spec), target_type="JobSpec") == spec
    (tmp_path / "odd.json").write_text("[]")
    with pytest.raises(InvalidJobException, match="holds no exported job"):
        Import().load(tmp_path / "odd.json")
    with pytest.raises(InvalidJobException, match="only a JobSpec"):
        Import().from_dict({}, "Job")
