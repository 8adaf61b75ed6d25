"""Descriptions as JSDL: valid, and nothing lost but what is told."""

from __future__ import annotations

import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from argosy.languages import native
from argosy.languages.jsdl import JSDL
from argosy.languages.native import Description, Input, Output, Resources
from argosy.model import InvalidInput

SCHEMA = Path(__file__).parents[2].parent / "shared" / "schemas" / "jsdl-all.xsd"

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
possible = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
word = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
path = st.lists(word, min_size=1, max_size=3).map("/".join)
url = word.map(lambda name: f"https://host/{name}")
variable = st.from_regex(r"[A-Z_]{1,8}", fullmatch=True)
flags = st.sampled_from(["overwrite", "append", "refuse"])


def files(kind: type, **fields: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(
        st.builds(kind, path=path, creation=flags, delete_on_termination=st.booleans(), **fields),
        max_size=3,
        unique_by=lambda file: file.path,
    )


def descriptions(*, sayable: bool) -> st.SearchStrategy[Description]:
    """Any description; `sayable`: one that JSDL has words for."""
    never = st.none()
    rarely = st.just(False) if sayable else st.booleans()
    return st.builds(
        Description,
        executable=path.map(lambda name: "/bin/" + name) if sayable else path | path.map("./".__add__),
        arguments=st.lists(possible if sayable else text, max_size=4).map(
            lambda found: [one.replace("${", "{") for one in found] if sayable else found
        ),
        name=st.none() | word,
        account=st.none() | word,
        directory=st.none() | path.map("/".__add__) | path.map("~/".__add__),
        environment=st.dictionaries(variable, possible if sayable else text, max_size=3).map(
            lambda found: {k: v.replace("${", "{") for k, v in found.items()} if sayable else found
        ),
        inherit_environment=st.just(True) if sayable else st.booleans(),
        stdin=st.none() | path,
        stdout=path,
        stderr=path,
        launcher=st.none() | st.sampled_from(["mpirun"] if sayable else ["single", "mpirun", "srun", "multiple"]),
        resources=st.none()
        | st.builds(
            Resources,
            processes=st.none() | st.integers(1, 4),
            memory=st.none() | st.integers(1, 2**50),
            exclusive=st.booleans(),
            cores_per_process=never if sayable else st.none() | st.integers(1, 4),
            architecture=st.none() | st.sampled_from(["x86_64", "sparc"] if sayable else ["x86_64", "aarch64"]),
            operating_system=st.none() | st.sampled_from(["linux", "sunos"] if sayable else ["linux", "plan9"]),
            candidates=st.lists(st.sampled_from(["slurm/debug", "local"]), max_size=2),
            labels=st.just([]) if sayable else st.lists(word, max_size=1),
            gpus_per_process=never if sayable else st.none() | st.integers(0, 4),
        ).map(lambda needs: None if sayable and needs == Resources() else needs),
        duration=st.none() | st.integers(1, 10**6).map(float) | (never if sayable else st.floats(0.5, 1e6)),
        share=never if sayable else st.none() | st.just("slurm/debug"),
        reservation=never if sayable else st.none() | word,
        custom=st.just({}) if sayable else st.dictionaries(st.just("slurm.qos"), word, max_size=1),
        tags=st.dictionaries(word.filter(lambda key: key[0].isalpha()) if sayable else word, possible, max_size=3),
        inputs=files(Input, sources=st.lists(url, max_size=1), size=never if sayable else st.none() | st.just(9)),
        outputs=files(Output, targets=st.lists(url, max_size=2, unique=True), optional=rarely),
        rerunnable=rarely,
        held=rarely,
    )  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.skip("the schemas are not here")
    return etree.XMLSchema(etree.parse(str(SCHEMA)))


def plain(description: Description) -> dict[str, object]:
    """Defaults written out, and lists without an order in one."""
    found: dict[str, object] = {}

    def take(name: str, value: object) -> None:
        if isinstance(value, msgspec.Struct):
            value = msgspec.structs.asdict(value)
        if isinstance(value, dict):
            for key, inner in value.items():
                take(f"{name}.{key}" if name else key, inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                take(f"{name}[{index}]", inner)
        elif value is not None:
            found[name] = value

    take("", description)
    if found.get("duration") is msgspec.UNSET:
        found["duration"] = 600.0
    return found


@given(descriptions(sayable=True))
@settings(max_examples=150, deadline=None)
def test_what_jsdl_has_words_for_comes_back_as_it_was(description: Description) -> None:
    written = JSDL().write(description)
    assert written.lost == []
    assert plain(JSDL().parse(written.data, strict=True).one()) == plain(description)


@given(descriptions(sayable=False))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_but_what_is_told(description: Description) -> None:
    try:
        native.checked(description)
        written = JSDL().write(description)
    except InvalidInput:
        return
    back, before = plain(JSDL().parse(written.data, strict=True).one()), plain(description)
    told = [note.element for note in written.lost]
    for name in {*back, *before}:
        if back.get(name) != before.get(name) and (name, before.get(name)) != ("launcher", "single"):
            assert any(name == one or name.startswith((one + ".", one + "[")) for one in told), (name, told)


def test_what_is_written_is_valid_by_the_schemas(schema: etree.XMLSchema) -> None:
    @given(descriptions(sayable=False))
    @settings(max_examples=150, deadline=None)
    def check(description: Description) -> None:
        try:
            data = JSDL().write(description).data
        except InvalidInput:
            return
        assert schema.validate(etree.fromstring(data)), schema.error_log

    check()


def test_inline_content_travels_in_the_document() -> None:
    description = Description(
        executable="./run", inputs=[Input(path="run", content="#!/bin/sh\necho 'é' % , \"\n", executable=True)]
    )
    written = JSDL().write(description)
    assert written.lost == []
    assert JSDL().parse(written.data, strict=True).one().inputs == description.inputs


def test_what_xml_cannot_hold_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidInput) as error:
        JSDL().write(Description(executable="x", arguments=["a", "\x01"]))
    assert error.value.element == "arguments[1]"


def test_references_to_variables_are_told() -> None:
    written = JSDL().write(Description(executable="x", arguments=["$${A}", "${B}"]))
    assert [note.element for note in written.lost] == ["arguments[1]"]
    assert JSDL().parse(written.data).one().arguments == ["$${A}", "$${B}"]
