"""Plans and templates: any job by its number, in little memory, and what is wrong with them told by the element."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.languages.contract import NotValid
from argosy.languages.json import NativeJSON
from argosy.languages.script import Script
from argosy.languages.sweeps import Axis, Chain, Plan, Product, Zip
from argosy.languages.sweeps.document import number_range
from argosy.languages.sweeps.plan import probes, values
from argosy.model import InvalidInput


def document(sweep: object, *arguments: str, **more: object) -> bytes:
    description = {"executable": "/bin/echo", "arguments": list(arguments)} | more.pop("description", {})
    return json.dumps({"description": description, "sweep": sweep} | more).encode()


def jobs(sweep: object, *arguments: str) -> list[list[str]]:
    return [one.arguments for one in NativeJSON().parse(document(sweep, *arguments)).descriptions]


A = {"parameter": "a", "values": ["x", "y"]}
N = {"parameter": "n", "from": 1, "to": 3}


def test_lists_ranges_products_lock_step_chains_and_nesting() -> None:
    assert jobs(A, "{{a}}") == [["x"], ["y"]]
    assert jobs(N, "n={{n}}!") == [["n=1!"], ["n=2!"], ["n=3!"]]
    assert jobs({"product": [A, N]}, "{{a}}", "{{n}}") == [[a, n] for a in "xy" for n in "123"]
    three = {"parameter": "b", "values": [True, 0.5, "z"]}
    assert jobs({"zip": [N, three]}, "{{n}}{{b}}") == [["1true"], ["20.5"], ["3z"]]
    assert jobs({"chain": [N, {"parameter": "n", "values": [7]}]}, "{{ n }}") == [["1"], ["2"], ["3"], ["7"]]
    nested = {"product": [A, {"zip": [N, {"chain": [three]}]}]}
    assert jobs(nested, "{{a}}{{n}}{{b}}") == [
        [a + n + b] for a in "xy" for n, b in zip("123", ("true", "0.5", "z"), strict=True)
    ]


def test_ranges_of_decimals_are_counted_exactly_and_may_go_down() -> None:
    assert jobs({"parameter": "v", "from": 0.1, "to": 0.3, "step": 0.1}, "{{v}}") == [["0.1"], ["0.2"], ["0.3"]]
    assert jobs({"parameter": "v", "from": 3, "to": 1}, "{{v}}") == [["3"], ["2"], ["1"]]
    assert jobs({"parameter": "v", "from": 1, "to": 6, "step": 2}, "{{v}}") == [["1"], ["3"], ["5"]]


def test_values_keep_their_type_where_no_text_belongs() -> None:
    parsed = NativeJSON().parse(
        document(
            {"product": [N, {"parameter": "t", "values": [30, 1.5]}]},
            "{{index}}",
            description={
                "resources": {"processes": "{{n}}"},
                "duration": "{{t}}",
                "custom": {"slurm.nice": "{{n}}"},
                "inputs": [{"path": "in-{{n}}.txt", "content": "{{n}}", "size": "{{n}}"}],
            },
        )
    )
    last = list(parsed.descriptions)[-1]
    assert (last.resources.processes, last.duration, last.custom) == (3, 1.5, {"slurm.nice": 3})
    assert (last.inputs[0].path, last.inputs[0].content, last.inputs[0].size) == ("in-3.txt", "3", 3)
    assert last.arguments == ["5"]


def test_a_place_can_be_written_as_a_text() -> None:
    assert jobs(A, '{"x": {"y": {{{{a}} }}', "{{a}}}}}}", "{{not a name}}") == [
        ['{"x": {"y": {{a}} }}', value + "}}}}", "{{not a name}}"] for value in "xy"
    ]


@pytest.mark.parametrize(
    ("sweep", "element"),
    [
        ({"parameter": "a"}, "sweep"),
        ({"parameter": "a", "values": []}, "sweep.values"),
        ({"parameter": "a", "values": [{}]}, "sweep.values[0]"),
        ({"parameter": "1a", "values": [1]}, "sweep.parameter"),
        ({"parameter": "index", "values": [1]}, "sweep.parameter"),
        ({"parameter": "a", "values": [1], "from": 1}, "sweep.values"),
        ({"parameter": "a", "from": 1, "to": 5, "step": 0}, "sweep.step"),
        ({"parameter": "a", "from": 1, "to": 5, "step": -1}, "sweep.step"),
        ({"parameter": "a", "from": 1, "to": 1e300}, "sweep.to"),
        ({}, "sweep"),
        ({"parameter": "a", "zip": [A]}, "sweep"),
        ({"values": [1], "product": [A]}, "sweep.values"),
        ({"product": []}, "sweep.product"),
        ({"product": [A, A]}, "sweep.product[1]"),
        ({"zip": [A, N]}, "sweep.zip"),
        ({"chain": [A, N]}, "sweep.chain[1]"),
        ({"product": [A, {"colour": 1}]}, "sweep.product[1].colour"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_named(sweep: object, element: str) -> None:
    with pytest.raises(NotValid) as caught:
        NativeJSON().parse(document(sweep, "{{a}}"))
    assert caught.value.element == element, caught.value


def test_a_place_without_a_parameter_is_refused() -> None:
    with pytest.raises(NotValid, match="no parameter b") as caught:
        NativeJSON().parse(document(A, "fine", "{{b}}"))
    assert caught.value.element == "description.arguments[1]"


def test_each_value_is_held_to_the_types_of_its_places() -> None:
    bad = document({"product": [A, N]}, description={"resources": {"processes": "{{a}}"}})
    found = NativeJSON().parse(bad).expansion
    with pytest.raises(InvalidInput, match="a = 'x'") as caught:
        found.check()
    assert caught.value.element == "description.resources.processes"
    with pytest.raises(InvalidInput, match="a=x, n=1"):
        found.description(0)


def test_too_many_nodes_and_too_deep_ones_are_refused() -> None:
    deep: object = A
    for _ in range(100):
        deep = {"chain": [deep]}
    for sweep in (deep, {"chain": [A] * 2000}):
        with pytest.raises(NotValid, match="nodes"):
            NativeJSON().parse(document(sweep))
    with pytest.raises(NotValid):
        NativeJSON().parse(b'{"description":{},"sweep":' + b'{"zip":[' * 100_000)


axes = st.integers(1, 5).map(lambda count: ("axis", count))
shapes = st.recursive(
    axes,
    lambda inner: st.tuples(st.sampled_from(["product", "chain"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=6,
)


def build(shape: object, names: itertools.count) -> Plan:
    kind, rest = shape
    if kind == "axis":
        return Axis(f"p{next(names)}", list(range(rest)))
    return {"product": Product, "chain": Chain}[kind](tuple(build(one, names) for one in rest))


def walked(plan: Plan) -> list[dict[str, object]]:
    """The same, counted through."""
    match plan:
        case Axis(name, some):
            return [{name: one} for one in some]
        case Product(parts):
            return [{k: v for one in of for k, v in one.items()} for of in itertools.product(*map(walked, parts))]
        case Zip(parts):
            return [{k: v for one in of for k, v in one.items()} for of in zip(*map(walked, parts), strict=True)]
        case Chain(parts):
            return [one for part in parts for one in walked(part)]


@given(shapes)
def test_jobs_by_number_are_those_counted_through_and_probes_see_each_value(shape: object) -> None:
    plan = build(shape, itertools.count())
    all_of_them = walked(plan)
    assert [values(plan, index) for index in range(plan.count)] == all_of_them
    seen = {pair for index in probes(plan) for pair in values(plan, index).items()}
    assert seen == {pair for one in all_of_them for pair in one.items()}
    for beyond in (-1, plan.count):
        with pytest.raises(IndexError):
            values(plan, beyond)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-7, 7).filter(bool))
def test_ranges_are_pythons_with_their_end(first: int, last: int, step: int) -> None:
    expected = list(range(first, last + (1 if step > 0 else -1), step))
    if expected:
        assert list(number_range(first, last, step, "")) == expected
    else:
        with pytest.raises(InvalidInput):
            number_range(first, last, step, "")


def test_a_hundred_thousand_jobs_take_bounded_memory_and_a_million_million_no_time() -> None:
    wide = {"product": [{"parameter": "a", "from": 1, "to": 1000}, {"parameter": "b", "from": 1, "to": 100}]}
    tracemalloc.start()
    try:
        parsed = NativeJSON().parse(document(wide, "{{a}}", "{{b}}"))
        assert parsed.count == 100_000
        assert sum(1 for _ in parsed.descriptions) == 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20, peak
    wide["product"] += [{"parameter": "c", "from": 1, "to": 10_000_000}]
    before = time.process_time()
    parsed = NativeJSON().parse(document(wide, "{{c}}"))
    assert parsed.expansion.description(parsed.count - 1).arguments == ["10000000"]
    assert time.process_time() - before < 1


def test_an_array_is_a_sweep_of_one_script() -> None:
    script = b"#!/bin/sh\n#SBATCH --hold\n#SBATCH --array=3,10-20:5%2\necho\n"
    parsed = Script().parse(script)
    found = parsed.expansion
    assert [found.values(index) for index in range(found.count)] == [
        {"SLURM_ARRAY_TASK_ID": number} for number in (3, 10, 15, 20)
    ]
    assert (found.options.window, found.options.held) == (2, True)
    assert found.description(3).environment == {"SLURM_ARRAY_TASK_ID": "20"}
    assert [one.held for one in parsed.descriptions] == [True] * 4


def test_a_secret_has_no_place_in_a_document_that_is_kept() -> None:
    told = {"notify": [{"url": "https://h/"}]}
    with pytest.raises(NotValid, match="secret") as caught:
        NativeJSON().parse(document(A, description=told))
    assert caught.value.element == "description.notify"
