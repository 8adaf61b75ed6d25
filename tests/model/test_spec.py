"""Job specifications: what they check, and that JSON loses nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from argosy import InvalidJobException, JobAttributes, JobSpec, ResourceSpec, ResourceSpecV1, StageIn
from argosy import spec_from_dict as from_dict
from argosy import spec_to_dict as to_dict


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({}, "executable"),
        ({"executable": True}, "executable"),
        ({"executable": ""}, "executable"),
        ({"executable": "a\0"}, "executable"),
        ({"executable": 1}, "executable"),
        ({"arguments": "abc"}, "arguments"),
        ({"arguments": [1]}, "arguments[0]"),
        ({"arguments": ["ok", "\0"]}, "arguments[1]"),
        ({"executable": "\ud800"}, "executable"),
        ({"arguments": ["ok", "a\udc7f"]}, "arguments[1]"),
        ({"environment": {"A": "\udfff"}}, "environment.A"),
        ({"stdout_path": Path("\ud800")}, "stdout_path"),
        ({"name": "\ud800"}, "name"),
        ({"stage_in": [StageIn("\ud800", "x")]}, "stage_in[0].source"),
        ({"cleanup": ["\ud800"]}, "cleanup[0]"),
        ({"attributes": JobAttributes(account="\ud800")}, "attributes.account"),
        ({"attributes": JobAttributes(custom_attributes={"a.b": "\ud800"})}, "attributes.custom_attributes.a.b"),
        ({"arguments": ["x" * 131_072]}, "arguments[0]"),
        ({"arguments": ["ü" * 65_536]}, "arguments[0]"),
        ({"environment": []}, "environment"),
        ({"environment": {1: "x"}}, "environment.1"),
        ({"environment": {"1A": "x"}}, "environment.1A"),
        ({"environment": {"A=B": "x"}}, "environment.A=B"),
        ({"environment": {"A": None}}, "environment.A"),
        ({"environment": {"A": True}}, "environment.A"),
        ({"inherit_environment": 1}, "inherit_environment"),
        ({"directory": "x"}, "directory"),
        ({"directory": 3}, "directory"),
        ({"stdout_path": ""}, "stdout_path"),
        ({"name": ""}, "name"),
        ({"launcher": 1}, "launcher"),
        ({"resources": "4 cores"}, "resources"),
        ({"attributes": {}}, "attributes"),
        ({"attributes": JobAttributes(timedelta(0))}, "attributes.duration"),
        ({"attributes": JobAttributes(600)}, "attributes.duration"),
        ({"attributes": JobAttributes(queue_name="a\nb")}, "attributes.queue_name"),
        ({"attributes": JobAttributes(account="")}, "attributes.account"),
        ({"attributes": JobAttributes(custom_attributes={"x.": 1})}, "attributes.custom_attributes"),
        ({"attributes": JobAttributes(custom_attributes={"a.b": "x\n"})}, "attributes.custom_attributes.a.b"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], element: str) -> None:
    spec = JobSpec(**({"executable": "/x"} if fields else {}) | fields)
    with pytest.raises(InvalidJobException) as caught:
        spec.check()
    assert caught.value.element == element


def test_bytes_that_are_no_utf_8_are_right() -> None:
    JobSpec("/x", ["\udc80\udcff"], "/\udcff", environment={"A": "ü\udc80"}, name="ü☃").check()


@pytest.mark.parametrize(
    "spec",
    [
        JobSpec("/x"),
        JobSpec(Path("/x"), [Path("y")]),
        JobSpec("x", ["", " ", "x" * 131_071]),
        JobSpec("/x", directory="~/a", stdout_path=Path("out")),
        JobSpec("/x", environment={"_": "", "A1": "ü\n"}),
        JobSpec("/x", attributes=JobAttributes(None)),
        JobSpec("/x", resources=ResourceSpecV1(gpu_cores_per_process=0)),
    ],
)
def test_what_is_right_passes(spec: JobSpec) -> None:
    spec.check()


def test_numbers_in_the_environment_become_texts() -> None:
    spec = JobSpec("/x", environment={"N": 4})
    spec.check()
    assert spec.environment == {"N": "4"}


def test_paths_are_paths_and_the_name_is_the_executables() -> None:
    spec = JobSpec("/bin/x", directory="/tmp", stdin_path="in")
    assert (spec.directory, spec.stdin_path, spec.name) == (Path("/tmp"), Path("in"), "/bin/x")
    spec.name = "n"
    assert spec.name == "n"


@pytest.mark.parametrize(
    ("given_", "computed"),
    [
        ({}, (1, 1, 1)),
        ({"node_count": 4}, (4, 4, 1)),
        ({"process_count": 10}, (1, 10, 10)),
        ({"process_count": 10, "processes_per_node": 3}, (4, 10, 3)),
        ({"node_count": 2, "processes_per_node": 3}, (2, 6, 3)),
        ({"node_count": 2, "process_count": 6}, (2, 6, 3)),
        ({"node_count": 2, "process_count": 6, "processes_per_node": 3}, (2, 6, 3)),
    ],
)
def test_counts_follow_from_each_other(given_: dict[str, int], computed: tuple[int, int, int]) -> None:
    needs = ResourceSpecV1(**given_)
    assert (
        needs.computed_node_count,
        needs.computed_process_count,
        needs.computed_processes_per_node,
    ) == computed


def test_computed_counts_follow_later_changes() -> None:
    needs = ResourceSpecV1()
    needs.node_count = 4
    assert needs.computed_node_count == 4


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"node_count": 0}, "resources.node_count"),
        ({"node_count": True}, "resources.node_count"),
        ({"process_count": 1.5}, "resources.process_count"),
        ({"gpu_cores_per_process": -1}, "resources.gpu_cores_per_process"),
        ({"memory": "4G"}, "resources.memory"),
        ({"exclusive_node_use": 1}, "resources.exclusive_node_use"),
        ({"node_count": 2, "process_count": 5, "processes_per_node": 2}, "resources.process_count"),
        ({"node_count": 2, "process_count": 5}, "resources.process_count"),
    ],
)
def test_resources_that_contradict_themselves_are_refused(fields: dict[str, Any], element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        ResourceSpecV1(**fields)
    assert caught.value.element == element


def test_resource_specifications_by_version() -> None:
    assert ResourceSpec.get_instance(1).version == 1
    with pytest.raises(InvalidJobException, match="use 1"):
        ResourceSpec.get_instance(2)
    assert ResourceSpecV1(memory=1) != ResourceSpecV1(memory=2)
    assert ResourceSpecV1(memory=1025).memory_kb == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1:02:03", 3723), ("1:30", 5400), ("90", 5400), ("2 h", 7200), ("1.5m", 90), ("30 s", 30), ("5405.0 s", 5405)],
)
def test_wall_times(text: str, seconds: float) -> None:
    assert JobAttributes.parse_walltime(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-5", "1 d", "1:99999", None, 90])
def test_odd_wall_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidJobException, match="not a wall time"):
        JobAttributes.parse_walltime(text)


@pytest.mark.parametrize("text", ["99999999999999h", "1" * 5000, "9" * 400 + ".5 s", "9" * 30 + ":00"])
def test_wall_times_beyond_all_counting_are_refused(text: str) -> None:
    with pytest.raises(InvalidJobException, match="longer than") as caught:
        JobAttributes.parse_walltime(text)
    assert caught.value.element == "attributes.duration"


def test_custom_attributes_belong_to_a_system() -> None:
    attributes = JobAttributes(custom_attributes={"slurm.constraint": "a", "Slurm.qos": "b", "pbs.x": 1})
    assert attributes.of_system("slurm") == {"constraint": "a", "qos": "b"}
    attributes.set_custom_attribute("pbs.y", 2)
    assert attributes.get_custom_attribute("pbs.y") == 2
    assert JobAttributes().custom_attributes is None
    assert JobAttributes(project_name="p").account == "p"


texts = st.text(min_size=1).filter(lambda text: "\0" not in text)
lines = texts.filter(lambda text: "\n" not in text)
counts = st.none() | st.integers(1, 10**6)
specs = st.builds(
    JobSpec,
    executable=texts,
    arguments=st.none() | st.lists(st.text().filter(lambda text: "\0" not in text)),
    directory=st.none() | st.builds("/{}".format, texts),
    name=st.none() | texts,
    inherit_environment=st.booleans(),
    environment=st.none() | st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), texts),
    stdout_path=st.none() | texts,
    resources=st.none()
    | st.builds(
        ResourceSpecV1,
        process_count=counts,
        cpu_cores_per_process=counts,
        memory=counts,
        gpu_cores_per_process=st.none() | st.integers(0, 9),
        exclusive_node_use=st.booleans(),
    ),
    attributes=st.builds(
        JobAttributes,
        duration=st.none() | st.integers(1, 10**7).map(lambda seconds: timedelta(seconds=seconds)),
        queue_name=st.none() | lines,
        account=st.none() | lines,
        custom_attributes=st.dictionaries(st.just("slurm.x"), lines | st.integers() | st.booleans()),
    ),
    launcher=st.none() | lines,
)


@given(specs)
def test_json_loses_nothing(spec: JobSpec) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(spec)))) == spec


@pytest.mark.parametrize(
    ("data", "element"),
    [
        ([], "job specification"),
        ({"executable": "/x", "nosuch": 1}, "nosuch"),
        ({"executable": 1}, "executable"),
        ({"executable": "/x", "resources": {"__version": 2}}, "resources.__version"),
        ({"executable": "/x", "resources": {"nodes": 2}}, "resources.nodes"),
        ({"executable": "/x", "resources": {"node_count": "2"}}, "resources.node_count"),
        *(
            ({"executable": "/x", "attributes": {"duration": duration}}, "attributes.duration")
            for duration in (
                "soon",
                1e400,
                -1e400,
                1e30,
                10**400,
                float("nan"),
                True,
                [],
                "99999999999999h",
                "1" * 5000,
            )
        ),
        ({"executable": "/x", "environment": {"A": True}}, "environment.A"),
        ({"executable": "/x", "stage_in": [{"source": "a", "target": ""}]}, "stage_in[0].target"),
        ({"executable": "/x", "stage_out": [{"source": "", "target": "a"}]}, "stage_out[0].source"),
        ({"executable": "/x", "attributes": {"x": 1}}, "attributes.x"),
        ({"executable": "/x", "attributes": {"custom_attributes": 1}}, "attributes.custom_attributes"),
    ],
)
def test_odd_json_names_its_element(data: Any, element: str) -> None:
    with pytest.raises(InvalidJobException) as caught:
        from_dict(data)
    assert caught.value.element == element


@given(st.timedeltas(min_value=timedelta(microseconds=1)))
@example(timedelta(microseconds=1))
@example(timedelta.max)
def test_json_keeps_every_duration(duration: timedelta) -> None:
    spec = JobSpec("/x", attributes=JobAttributes(duration))
    assert from_dict(json.loads(json.dumps(to_dict(spec)))) == spec


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert to_dict(JobSpec("/x")) == {"executable": "/x"}
    assert to_dict(JobSpec("/x", attributes=JobAttributes(timedelta(hours=1))))["attributes"] == {
        "duration": "3600.0 s"
    }
