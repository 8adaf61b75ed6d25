"""The description languages that are installed, and which of them a document is in."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping

from argosy.model import InvalidInput
from argosy.model.choices import listed
from argosy.model.plugins import Broken, registered

from .contract import MAX_BYTES, Language, Parsed

#: Languages register under this entry-point group, by their name: a class over `Language`.
GROUP = "argosy.languages"

log = logging.getLogger(__name__)


@functools.cache
def _installed() -> Mapping[str, Language]:
    return {name: made for name, made in _registered().items() if isinstance(made, Language)}


@functools.cache
def _registered() -> Mapping[str, Language | str]:
    """All that are registered; a text says why one cannot be used. That is nothing to the others."""
    found: dict[str, Language | str] = {}
    for name, plugin in registered(GROUP).items():
        try:
            made = plugin.load()()
            found[name] = made if isinstance(made, Language) else f"{plugin.value} is not a Language"
        except Broken as error:
            found[name] = str(error)
        except Exception as error:
            found[name] = f"{plugin.value} cannot be made: {type(error).__name__}: {error}"
        if isinstance(why := found[name], str):
            log.warning("the language %s cannot be used: %s", name, why)
    return found


def languages() -> list[Language]:
    """All languages, by name."""
    return list(_installed().values())


def language(name: str) -> Language:
    """The language of this name. Raises InvalidInput naming those that there are."""
    found = _registered().get(name.lower())
    if isinstance(found, str):
        raise InvalidInput(f"the language {name!r} cannot be used here: {found}", element="language")
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
