"""The description languages that are installed, and which of them a document is in."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import entry_points

from argosy.model import InvalidInput
from argosy.model.choices import listed

from .contract import MAX_BYTES, Language, Parsed

#: Languages register under this entry-point group, by their name: a class over `Language`.
GROUP = "argosy.languages"


@functools.cache
def _installed() -> Mapping[str, Language]:
    found: dict[str, Language] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        made = entry.load()()
        if not isinstance(made, Language):
            raise TypeError(f"{entry.value}, registered as the language {entry.name!r}, is not a Language")
        found[entry.name] = made
    return found


def languages() -> list[Language]:
    """All languages, by name."""
    return list(_installed().values())


def language(name: str) -> Language:
    """The language of this name. Raises InvalidInput naming those that there are."""
    found = _installed().get(name.lower())
    if found is None:
        raise InvalidInput(
            f"there is no language {name!r}; there are {listed(_installed(), name)}",
            element="language",
        )
    return found


def by_media_type(media_type: str) -> Language | None:
    """The language whose documents are sent as this."""
    return next((one for one in languages() if media_type in one.media_types), None)


def detect(data: bytes) -> Language | None:
    """The language that a document is in, by its content."""
    return next((one for one in languages() if one.recognises(data)), None)


def parse(data: bytes, *, name: str | None = None, strict: bool = False) -> Parsed:
    """Read a document in the language of this name, or in the one that it looks like."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"the document has {len(data)} bytes; the most are {MAX_BYTES}")
    found = language(name) if name is not None else detect(data)
    if found is None:
        known = ", ".join(_installed())
        raise InvalidInput(f"this is in no language that is known here ({known}); name it if it is", element="language")
    return found.parse(data, strict=strict)
