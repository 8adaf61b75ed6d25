"""A word where one of few is right: all of them are told, and the nearest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from argosy.languages import native, registry
from argosy.languages.contract import check
from argosy.languages.sweeps.answers import SweepDocument
from argosy.model import InvalidInput
from argosy.model.choices import listed, nearest, none_of
from tests.languages.documents import definition, posix, resources


def test_the_nearest() -> None:
    assert nearest("Sate", ["name", "state"]) == "state"
    assert nearest("x", ["name", "state"]) is None
    assert nearest("n" * 10_000, ["name"]) is None
    assert none_of("x" * 100, ["a"]) == f"'{'x' * 60}...' is none of a"
    assert listed(["json", "csv"], "cvs") == "json, csv; did you mean csv?"


@pytest.mark.parametrize(
    ("document", "element", "words"),
    [
        (
            {"executable": "x", "inputs": [{"path": "a", "creation": "overwrit"}]},
            "inputs[0].creation",
            "'overwrit' is none of append, overwrite, refuse; did you mean overwrite?",
        ),
        (
            {"executable": "x", "outputs": [{"path": "a", "creation": "x"}]},
            "outputs[0].creation",
            "'x' is none of append, overwrite, refuse",
        ),
        ({"executable": "x", "resource": {}}, "resource", "no field 'resource' here; did you mean resources?"),
        (
            {"executable": "x", "resources": {"proceses": 1}},
            "resources.proceses",
            "no field 'proceses' here; did you mean processes?",
        ),
        ({"executable": "x", "inputs": [{"path": "a", "zzz": 1}]}, "inputs[0].zzz", "no field 'zzz' here"),
        ({"executable": "x", "a.b": 1}, "a.b", "no field 'a.b' here"),
    ],
)
def test_in_json(document: dict[str, Any], element: str, words: str) -> None:
    text = json.dumps(document).encode()
    marked = json.dumps({**document, "optional": ["nothing"]}).encode()
    for read in (native.decode, registry.language("json").parse):
        for one in (text, marked):
            with pytest.raises(InvalidInput) as caught:
                read(one)
            assert caught.value.element == element
            assert caught.value.message.endswith(words)


def test_in_sweeps() -> None:
    sweep = {"parameter": "n", "from": 1, "to": 3}
    job = {"executable": "x", "inputs": [{"path": "a", "creation": "apend"}]}
    for document, element, words in (
        ({"description": job, "sweep": sweep}, "description.inputs[0].creation", "did you mean append?"),
        ({"description": {"executable": "x"}, "sweep": sweep, "windo": 3}, "windo", "did you mean window?"),
        ({"description": {"executable": "{{m}}"}, "sweep": sweep | {"parameter": "mm"}}, None, "did you mean mm?"),
    ):
        with pytest.raises(InvalidInput) as caught:
            next(registry.language("json").parse(json.dumps(document).encode()).descriptions)
        assert words in caught.value.message
        assert element in (None, caught.value.element)


@pytest.mark.parametrize("strict", [False, True])
def test_in_jsdl(strict: bool) -> None:
    flag = definition(posix() + resources("<jsdl:ExclusiveExecution>yes</jsdl:ExclusiveExecution>"))
    staging = (
        "<jsdl:DataStaging><jsdl:FileName>a</jsdl:FileName><jsdl:CreationFlag>overwrit</jsdl:CreationFlag>"
        "<jsdl:Source><jsdl:URI>http://a/b</jsdl:URI></jsdl:Source></jsdl:DataStaging>"
    )
    for document, there in (
        (flag, ("boolean",) if strict else ("true", "false")),
        (definition(posix() + staging), ("'overwrit' is none of overwrite, append, dontOverwrite; did you mean",)),
    ):
        with pytest.raises(InvalidInput) as caught:
            check(registry.language("jsdl").parse(document, strict=strict))
        assert all(word in caught.value.message for word in there), caught.value.message
    with pytest.raises(InvalidInput, match="did you mean jsdl-posix:WorkingDirectory"):
        check(registry.language("jsdl").parse(definition(posix("<jsdl-posix:WorkDirectory/>")), strict=False))


def test_prefixes_do_not_make_names_alike() -> None:
    with pytest.raises(InvalidInput) as caught:
        check(registry.language("jsdl").parse(definition(posix("<jsdl-posix:DryRun/>")), strict=False))
    assert "did you mean" not in caught.value.message


def test_in_jsdl_by_its_schema() -> None:
    name = "<jsdl:CPUArchitecture><jsdl:CPUArchitectureName>x86_63</jsdl:CPUArchitectureName></jsdl:CPUArchitecture>"
    with pytest.raises(InvalidInput, match=r"'x86_63' is none of sparc, .*; did you mean x86_64"):
        registry.language("jsdl").parse(definition(posix() + resources(name)), strict=True)


@pytest.mark.parametrize(
    ("directive", "meant"),
    [
        ("#SBATCH --ntask=3", "--ntasks"),
        ("#SBATCH --partiton=debug", "--partition"),
        ("#PBS -l waltime=10", "walltime"),
        ("#PBS -l select=1:mpiproc=2", "mpiprocs"),
        ("#$ -l h_vmen=1G", "h_vmem"),
    ],
)
def test_in_scripts(directive: str, meant: str) -> None:
    with pytest.raises(InvalidInput, match=f"did you mean {meant}[?]"):
        check(registry.language("script").parse(f"#!/bin/sh\n{directive}\ntrue\n".encode()))


def test_a_language() -> None:
    with pytest.raises(InvalidInput, match="there are jsdl, json, script; did you mean jsdl"):
        registry.language("jsld")


def test_types_without_choices_have_none() -> None:
    from argosy.languages.faults import choices

    assert choices(SweepDocument, "state") == []
    assert choices(SweepDocument, "nowhere[3].at.all") == []
    assert choices(native.Description, "outputs[7].creation") == ["append", "overwrite", "refuse"]
