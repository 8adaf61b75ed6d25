"""One quoting function: whatever goes in comes out of a real shell as it was."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.model import InvalidJobException
from argosy.model.shell import expand, is_variable_name, join, quote, substitute

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
tricky = st.lists(st.sampled_from(["$", "{", "}", "A", "B1", "'", '"', "\\", "`", "!", "\n", " ", "$$"])).map("".join)


def shell(words: str, **environ: str) -> list[bytes]:
    done = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True, env=environ)
    return done.stdout.split(b"\0")[:-1]


@given(st.lists(texts | tricky, min_size=1))
@settings(max_examples=150, deadline=None)
def test_quoted_words_arrive_as_they_are(words: list[str]) -> None:
    assert shell(join(words)) == [os.fsencode(word) for word in words]


@given(tricky, texts)
@settings(max_examples=200, deadline=None)
def test_expansion_in_the_shell_is_substitution_here(text: str, value: str) -> None:
    variables = {"A": value}
    assert shell(expand(text), **variables) == [os.fsencode(substitute(text, variables))]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A}", "x"),
        ("a${A}b${A}", "axbx"),
        ("${NOSUCH}", ""),
        ("$A", "$A"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("${A", "${A"),
        ("${1}", "${1}"),
        ("${A:-b}", "${A:-b}"),
        ("$(A)", "$(A)"),
    ],
)
def test_only_braces_are_expanded(text: str, result: str) -> None:
    assert substitute(text, {"A": "x"}) == result
    assert shell(expand(text), A="x") == [result.encode()]


def test_nul_is_refused() -> None:
    with pytest.raises(InvalidJobException, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize(("name", "right"), [("A", True), ("_a1", True), ("1", False), ("a-b", False), ("A\n", False)])
def test_variable_names(name: str, right: bool) -> None:
    assert is_variable_name(name) is right
