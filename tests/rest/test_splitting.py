"""Bodies of vectors cut apart as they come: always as a parser of the whole body would have it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from argosy.endpoints.rest import splitting
from argosy.endpoints.rest.problems import HttpError, Malformed
from argosy.endpoints.rest.splitting import ArrayElements, Lines, Splitter
from argosy.model import InvalidInput

_MANY = 1 << 30
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a"\\{}[],:\né🦆 '), max_size=6)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["description", "submission_id", "a", '},{"description"', ""]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
spaces = st.sampled_from(["", "", " ", "\n\t ", "\r\n"])


@st.composite
def arrays(draw: st.DrawFn) -> str:
    """Arrays as people and programs write them."""
    elements = draw(st.lists(values, max_size=12))
    indent = draw(st.sampled_from([None, None, 1]))
    written = [json.dumps(one, indent=indent, ensure_ascii=draw(st.booleans())) for one in elements]
    space = draw(spaces)
    return f"{draw(spaces)}[{space}{(space + ',' + space).join(written)}{draw(spaces)}]{space}"


def cut(splitter: Splitter, body: bytes, at: list[int]) -> list[Any]:
    found = []
    for begin, end in zip([0, *at], [*at, len(body)], strict=True):
        found += splitter.feed(body[begin:end])
    found += splitter.end()
    assert splitter.count == len(found)
    return [bytes(one) for one in found]


def read(elements: list[bytes]) -> list[Any]:
    return [json.loads(one) for one in elements]


def places(data: st.DataObject, body: bytes) -> list[int]:
    return sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=30)))


@pytest.mark.parametrize("block", [1, 3, 17, 64, splitting.BLOCK])
def test_an_array_comes_apart_as_a_parser_has_it(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "BLOCK", block)

    @settings(max_examples=150, deadline=None)
    @given(arrays(), st.data())
    def check(text: str, data: st.DataObject) -> None:
        body = text.encode()
        assert read(cut(ArrayElements(_MANY), body, places(data, body))) == json.loads(text)

    check()


@pytest.mark.parametrize("block", [1, 16, splitting.BLOCK])
def test_what_is_no_array_is_refused_however_it_comes(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "BLOCK", block)

    def verdict(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (InvalidInput, HttpError):
            return None

    def whole(body: bytes) -> Any:
        splitter = ArrayElements(_MANY)
        splitter._looked = _MANY  # nothing is cut before the end: msgspec reads all of it
        return cut(splitter, body, [])

    @settings(max_examples=300, deadline=None)
    @given(arrays(), st.data())
    @example('[{"description":1},{"description":2},]', None)
    @example('[{"description":1},,{"description":2}]', None)
    @example('[,{"description":1},{"description":2}]', None)
    @example('[{"description":1}],{"description":2}]', None)
    @example('[{"a":[{"b":1},{"description":2}]}', None)
    @example('[1}, {"description": 2}]', None)
    @example('{"a": 1}', None)
    @example("[1, 2", None)
    @example('["},{\\"description\\"', None)
    def check(text: str, data: st.DataObject | None) -> None:
        body = bytearray(text.encode())
        at = list(range(1, len(body), 2))
        if data is not None:
            for _ in range(data.draw(st.integers(1, 3))):
                place = data.draw(st.integers(0, len(body)))
                body[place : place + data.draw(st.integers(0, 2))] = data.draw(
                    st.binary(max_size=2) | st.sampled_from([b",", b"]", b"[", b"}", b"{", b'"', b"\\"])
                )
            at = places(data, body)
        expected = verdict(lambda: whole(bytes(body)))
        assert verdict(lambda: cut(ArrayElements(_MANY), bytes(body), at)) == expected

    check()


@given(st.lists(st.dictionaries(st.text(max_size=3), leaves, max_size=3), max_size=8), st.data())
@settings(deadline=None)
def test_lines_come_apart_at_their_ends(elements: list[dict[str, Any]], data: st.DataObject) -> None:
    ends = [data.draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n"])) for _ in elements]
    text = "".join(json.dumps(one) + end for one, end in zip(elements, ends, strict=True))
    body = (text.rstrip() if data.draw(st.booleans()) else text).encode()
    assert read(cut(Lines(_MANY), body, places(data, body))) == elements


@pytest.mark.parametrize("kind", [ArrayElements, Lines])
def test_an_element_has_only_so_many_bytes(kind: type[ArrayElements | Lines]) -> None:
    long = json.dumps({"description": {"executable": "x" * splitting.BLOCK * 3}}).encode()
    first = b'[{"description":1},\n' if kind is ArrayElements else b'{"description":1}\n'
    body = first + long
    for size in (65536, len(body)):  # as it comes, and all of it at once
        splitter = kind(splitting.BLOCK * 2)

        def feed(splitter: Splitter = splitter, size: int = size) -> None:
            for begin in range(0, len(body), size):
                splitter.feed(body[begin : begin + size])

        with pytest.raises(HttpError) as refused:
            feed()
        assert (refused.value.status, refused.value.element) == (413, "[1]")


def test_bodies_made_to_be_slow_are_not() -> None:
    nested = [
        b'[{"a":"' + b"\\\\" * 2_000_000 + b'"}]',
        b"[" + b'{"a":[{},{"description":1},{"description":2}]},' * 90_000 + b"1]",
        b'[{"a":[' + b'{},{"description":1},' * 200_000 + b"1]}]",
        b"[" + b"[[]]," * 400_000 + b"[]]",
        b"[" + b" " * 4_000_000 + b"]",
        b'["' + b"},{" * 1_000_000 + b'"]',
        b"[" + b"} , " * 1_000_000 + b"]",
    ]
    for body in nested:
        before = time.process_time()
        try:
            cut(ArrayElements(_MANY), body, list(range(65536, len(body), 65536)))
        except Malformed:
            assert body.startswith(b"[}")
        taken = time.process_time() - before
        assert taken < 8, body[:40]
    deep = b"[" * 5_000_000
    with pytest.raises(Malformed):
        cut(ArrayElements(_MANY), deep, list(range(65536, len(deep), 65536)))
