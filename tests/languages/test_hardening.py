"""XML from those who mean no good: refused, fast, in little memory, without looking at anything outside."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.languages import registry
from argosy.languages.contract import MAX_BYTES, NotValid, check
from argosy.languages.jsdl import JSDL
from argosy.model import InvalidInput
from tests.languages.documents import arguments, assignment, definition, posix, sweep, values

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
).encode()


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < 5


def refused(data: bytes) -> str:
    with pytest.raises(InvalidInput) as error:
        JSDL().parse(data)
    return error.value.message


@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf", b"<!-- c -->\n<?p q?>\n"])
def test_billion_laughs(lead: bytes) -> None:
    text = definition(posix(arguments("&j;")))
    data = LAUGHS + text if not lead else lead + LAUGHS.partition(b"?>")[2] + text
    assert "DOCTYPE" in refused(data)


def test_billion_laughs_in_another_encoding() -> None:
    data = (LAUGHS.replace(b'<?xml version="1.0"?>', b"") + definition(posix(arguments("&j;")))).decode()
    refused(data.encode("utf-16"))


def test_an_attribute_full_of_laughs() -> None:
    data = LAUGHS + definition(posix('<jsdl-posix:Environment name="&j;"/>'))
    assert "DOCTYPE" in refused(data)


def test_external_entities_are_not_looked_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush")
    for where in (secret.as_uri(), "http://127.0.0.1:9/x"):
        head = f'<!DOCTYPE l [<!ENTITY e SYSTEM "{where}">]>'.encode()
        message = refused(head + definition(posix(arguments("&e;"))))
        assert "hush" not in message
        assert "DOCTYPE" in message
    assert "DOCTYPE" in refused(f'<!DOCTYPE l SYSTEM "{secret.as_uri()}">'.encode() + definition(posix()))


def test_xinclude_and_schema_locations_are_texts(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush")
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="{secret.as_uri()}"/>'
    assert "hush" not in refused(definition(posix(f"<jsdl-posix:Argument>{include}</jsdl-posix:Argument>")))
    located = definition(posix()).replace(
        b"<jsdl:JobDefinition ",
        b'<jsdl:JobDefinition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="urn:a http://127.0.0.1:9/a.xsd" ',
    )
    assert JSDL().parse(located, strict=True).one().executable == "/bin/echo"


def test_fifty_megabytes() -> None:
    assert "most are" in refused(definition(posix(arguments("a" * 50_000_000))))
    with pytest.raises(InvalidInput, match="most are"):
        registry.parse(b"{" + b" " * MAX_BYTES)


@pytest.mark.parametrize("depth", [150, 300, 100_000])
def test_deep_nesting(depth: int) -> None:
    assert "deep" in refused(definition(posix() + "<x:a>" * depth + "</x:a>" * depth))


def test_very_many_elements() -> None:
    tracemalloc.start()
    try:
        assert "elements" in refused(definition(posix() + "<x:a/>" * 1_000_000))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("strict", [True, False])
def test_very_many_elements_that_nobody_understands(strict: bool) -> None:
    with pytest.raises(InvalidInput, match="not understood"):
        check(JSDL().parse(definition(posix() + "<x:a/>" * 190_000), strict=strict))


@pytest.mark.parametrize("strict", [False, True])
def test_very_many_attributes(strict: bool) -> None:
    many = " ".join(f'a{number}="1"' for number in range(100_000))
    for data in (
        definition(posix()).replace(b"<jsdl:JobDescription>", f"<jsdl:JobDescription {many}>".encode()),
        definition(posix(f"<jsdl-posix:Argument {many}>x</jsdl-posix:Argument>")),
        definition(f"<x:y {many}/>" + posix()),
    ):
        with pytest.raises(NotValid, match="the most are 200") as error:
            JSDL().parse(data, strict=strict)
        assert (error.value.element, error.value.line) != (None, None)


def test_many_attributes_around_what_nobody_understands() -> None:
    many = " ".join(f'x:a{number}="1"' for number in range(200))
    inner = "<jsdl:Bad/>" * 20_000
    head, around, tail = definition(posix(f"<jsdl-posix:Argument {many}>x</jsdl-posix:Argument>" * 500)).partition(
        b"<jsdl:Application>"
    )
    data = head.replace(b"<jsdl:JobDescription>", f"<jsdl:JobDescription {many}>".encode())
    assert "not understood" in refused(data + inner.encode() + around + tail)


def test_a_path_with_two_descents_in_a_large_document() -> None:
    texts = assignment("//*//jsdl-posix:Argument", values("x"))
    with pytest.raises(InvalidInput, match="look at too much"):
        JSDL().parse(definition(posix("<jsdl-posix:Argument>a</jsdl-posix:Argument>" * 60_000), sweep(texts)))


def test_many_paths_in_a_large_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("argosy.languages.jsdl.sweep._MOST_LOOKED_AT", 500_000)
    texts = assignment("//jsdl-posix:Argument[1]", values("x")) * 40
    with pytest.raises(InvalidInput, match="look at too much"):
        JSDL().parse(definition(posix("<jsdl-posix:Argument>a</jsdl-posix:Argument>" * 20_000), sweep(texts)))


def test_very_many_namespaces() -> None:
    many = " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(50_000))
    data = definition(posix() + "<jsdl:Bad/>" * 20_000)
    assert "not understood" in refused(
        data.replace(b"<jsdl:JobDescription>", f"<jsdl:JobDescription {many}>".encode(), 1)
    )


def test_very_many_parameters() -> None:
    texts = assignment("//jsdl-posix:Argument", values("x")) * 1500
    with pytest.raises(InvalidInput, match="parameters at most"):
        JSDL().parse(definition(posix(arguments("a")), sweep(texts)))


def test_a_doctype_within_a_text_is_a_text() -> None:
    assert JSDL().parse(definition(posix(arguments("<![CDATA[<!DOCTYPE a>]]>"))), strict=True).one().arguments == [
        "<!DOCTYPE a>"
    ]


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_answered_by_an_error_of_ours(data: bytes) -> None:
    for language in registry.languages():
        for strict in (True, False):
            try:
                parsed = language.parse(data, strict=strict)
                if parsed.count == 1:
                    parsed.one()
            except InvalidInput:
                pass


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_is_cut_out_of_a_document_is_answered_by_an_error_of_ours(data: st.DataObject) -> None:
    whole = definition(posix(arguments("a", "b") + "<jsdl-posix:WallTimeLimit>6</jsdl-posix:WallTimeLimit>"))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    put = data.draw(st.binary(max_size=20))
    with contextlib.suppress(InvalidInput):
        JSDL().parse(whole[:start] + put + whole[end:]).one()
