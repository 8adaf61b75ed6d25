"""GES 5.2 in every language: what is marked as optional and not understood is told and skipped; the rest is refused."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from argosy.languages import registry
from argosy.languages.contract import Note, Parsed, Support, Unsupported, check
from argosy.languages.native import Description
from argosy.model import InvalidInput
from tests.languages.documents import definition, posix


def parse(document: object) -> Parsed:
    return check(registry.parse(json.dumps(document).encode()))


JOB = {"executable": "/bin/true"}


def test_what_is_marked_is_skipped_and_told() -> None:
    marked = JOB | {
        "colour": {"red": 1},
        "resources": {"nodes": 2, "tpus": 4},
        "inputs": [{"path": "a", "content": "x", "mood": 1}, {"path": "b", "content": "x", "mood": 2}],
        "optional": ["colour", "resources.tpus", "inputs[].mood", "not-there", "name"],
    }
    parsed = parse(marked)
    assert {note.element for note in parsed.notes} == {"colour", "resources.tpus", "inputs[0].mood", "inputs[1].mood"}
    assert not any(note.refused for note in parsed.notes)
    description = parsed.one()
    assert (description.resources.nodes, len(description.inputs), description.optional) == (2, 2, [])


def test_what_is_understood_has_its_effect_though_it_is_marked() -> None:
    parsed = parse(JOB | {"name": "n", "optional": ["name"]})
    assert (parsed.one().name, parsed.notes) == ("n", [])


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ({"colour": 1}, "colour"),
        ({"colour": 1, "optional": ["color"]}, "colour"),
        ({"colour": 1, "shape": 1, "optional": ["shape"]}, "colour"),
        ({"resources": {"tpus": 1}, "optional": ["tpus"]}, "resources.tpus"),
        ({"name": 1, "optional": ["name"]}, "name"),
        ({"colour": 1, "optional": "colour"}, "colour"),
        ({"optional": [1]}, "optional[0]"),
        ({"executable": None, "colour": 1, "optional": ["colour", "executable"]}, "executable"),
    ],
)
def test_any_other_is_refused_by_its_name(more: dict[str, object], element: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(JOB | more).one()
    assert caught.value.element == element


def test_too_many_marks_end_soon() -> None:
    inputs = [{"path": f"f{n}", "content": "", "x": 1} for n in range(5000)]
    before = time.process_time()
    with pytest.raises(InvalidInput, match="too much"):
        parse(JOB | {"inputs": inputs, "optional": ["inputs[].x"]})
    assert time.process_time() - before < 10


def test_in_jsdl_the_attribute_marks() -> None:
    limit = '<jsdl-posix:StackSizeLimit x:optional="true">1</jsdl-posix:StackSizeLimit>'
    parsed = check(registry.parse(definition(posix(limit))))
    assert ["StackSizeLimit" in note.element for note in parsed.notes] == [True]
    with pytest.raises(Unsupported, match="StackSizeLimit"):
        check(registry.parse(definition(posix(limit.replace("true", "false")))))


@pytest.mark.parametrize(
    "line", ["#SBATCH --frobnicate=3", "#SBATCH --frobnicate 3", "#PBS --why 3", "#$ -frob", "#BSUB -frob x"]
)
def test_in_a_script_a_comment_marks(line: str) -> None:
    with pytest.raises(Unsupported) as caught:
        check(registry.parse(f"#!/bin/sh\n{line}\n".encode()))
    (named,) = caught.value.elements
    assert named.startswith(line.split()[0] + " -")
    (note,) = check(registry.parse(f"#!/bin/sh\n{line}  # optional\n".encode())).notes
    assert (note.element, note.line, note.refused) == (named, 2, False)
    assert "skipped" in note.message


def test_unsupported_ones_can_be_marked_too() -> None:
    parsed = check(registry.parse(b"#!/bin/sh\n#SBATCH --dependency=afterok:1 # optional\n"))
    assert parsed.notes == [
        Note(
            "#SBATCH --dependency",
            "skipped, as it is marked as optional: one job waiting for another cannot be asked for",
            2,
        )
    ]


def test_in_a_sweep_the_description_marks() -> None:
    sweep = {"parameter": "n", "values": [1, 2]}
    parsed = parse({"description": JOB | {"colour": "{{n}}", "optional": ["colour"]}, "sweep": sweep})
    assert [note.element for note in parsed.notes] == ["colour"]
    assert [one.executable for one in parsed.descriptions] == ["/bin/true"] * 2
    with pytest.raises(InvalidInput) as caught:
        parse({"description": JOB | {"colour": "{{n}}"}, "sweep": sweep}).one()
    assert caught.value.element is None or "colour" in caught.value.element


@pytest.mark.parametrize("language", registry.languages(), ids=lambda one: one.name)
def test_what_is_understood_is_published(language: object) -> None:
    elements = language.elements()
    assert {element.support for element in elements} <= set(Support)
    assert len({element.name for element in elements}) == len(elements)
    assert all(element.name for element in elements)


def test_every_field_of_a_description_is_published() -> None:
    names = {element.name: element.support for element in registry.language("json").elements()}
    assert names["executable"] is Support.MANDATORY
    assert {field.encode_name for field in msgspec.structs.fields(Description)} <= set(names)


def test_where_all_that_could_run_is_marked_the_refusal_names_it() -> None:
    document = definition('<jsdl:Application optional="true"><x:Thing optional="true"/></jsdl:Application>')
    with pytest.raises(Unsupported, match="there is no Executable") as refused:
        list(check(registry.parse(document)).descriptions)
    assert refused.value.element == "JobDefinition/JobDescription/Application"
