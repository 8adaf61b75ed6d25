"""docs/languages.md says what the code says."""

from __future__ import annotations

from pathlib import Path

from argosy.languages import registry
from argosy.languages.jsdl.understood import understood
from argosy.languages.script import DIALECTS

PAGE = (Path(__file__).parents[2] / "docs" / "languages.md").read_text("utf-8")


def test_every_element_is_in_the_page() -> None:
    for name, element in understood().items():
        assert f"| `{name}` | {element.support} | {element.meaning} |\n" in PAGE


def test_every_directive_is_in_the_page() -> None:
    for dialect in DIALECTS:
        section = PAGE.partition(f"### {dialect.mark}\n")[2].partition("\n#")[0]
        for option in dialect.options:
            names = ", ".join(f"`{name}`" for name in option.names)
            assert f"| {names} | {option.support} | {option.meaning} |\n" in section


def test_every_media_type_is_in_the_page() -> None:
    for language in registry.languages():
        for media_type in language.media_types:
            assert f"`{media_type}`" in PAGE
