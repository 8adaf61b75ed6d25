"""What msgspec finds wrong with a document, as our own error: where it is, and what would be right there."""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from copy import copy
from typing import Any

import msgspec
from msgspec import inspect

from argosy.model import InvalidInput
from argosy.model.choices import meant, none_of, shown

_STEP = re.compile(r"[^.\[\]]+|\[\d+\]|\[\.\.\.\]")
#: What msgspec writes in place of a map's key.
_SOME_KEY = "[...]"
#: Keys are looked for in documents of so many bytes at most: each look reads a score of times.
_MOST = 256 * 1024
_ENUM = re.compile(r"Invalid enum value '?(.*?)'?\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z", re.DOTALL)


def invalid(error: msgspec.ValidationError, kind: Any = None, document: Any = None) -> InvalidInput:
    """The error, its sentence apart from the element's path; `kind` is the type that the whole document is to have.

    Where one of few words is right all of them are told; of a field that is not known the one that was meant, as far as
    that can be told. `document` is what was read, as JSON or as its values: msgspec does not tell which key of a map it
    is, and it is looked for there.
    """
    message, _, path = str(error).partition(" - at `$")
    element = path.rstrip("`").removeprefix(".") or None
    named = element
    if element is not None and _SOME_KEY in element and document is not None:
        named = _with_keys(element, str(error), kind, document)
    if kind is not None:
        if match := _ENUM.match(message):
            words = choices(kind, element or "")
            message = none_of(match[1], words) if words else message
        elif match := _UNKNOWN.match(message):
            message = f"there is no field {match[1]!r} here{meant(match[1], _fields(kind, element or ''))}"
            return InvalidInput(message, element=match[1] if named is None else f"{named}.{match[1]}")
    if "field `" in message:
        field = message.split("field `")[1].split("`")[0]
        named = field if named is None else f"{named}.{field}"
    return InvalidInput(message, element=named)


def _with_keys(element: str, words: str, kind: Any, document: Any) -> str:
    """The element, with the keys of maps in place of ``[...]``, as far as they are found."""
    if isinstance(document, (bytes, msgspec.Raw)):
        try:
            document = msgspec.json.decode(document) if len(bytes(document)) <= _MOST else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return element  # what comes after the fault is no JSON, or is nested too deeply
    path: list[str | int] = []
    here, told = document, ""
    for step in _STEP.findall(element):
        found: str | int = int(step[1:-1]) if step[1:-1].isdecimal() else step
        if step == _SOME_KEY:
            key = _wrong_key(words, kind, document, path, here) if isinstance(here, dict) else None
            if key is None:
                return element
            found = key
        told += step if isinstance(found, int) else f".{shown(found)}"
        path.append(found)
        try:
            here = here[found]
        except (KeyError, IndexError, TypeError):
            return element
    return told.removeprefix(".")


def _wrong_key(words: str, kind: Any, document: Any, path: list[str | int], map: dict[str, Any]) -> str | None:
    """The first key of a map without which, and those after it, the document would not be wrong in these words."""
    items = list(map.items())

    def wrong(count: int) -> bool:
        try:
            msgspec.convert(_put(document, path, dict(items[: count + 1])), kind)
        except msgspec.ValidationError as error:
            return str(error) == words
        except RecursionError:
            return False
        return False

    first = bisect_left(range(len(items)), True, key=wrong)
    return items[first][0] if first < len(items) else None


def _put(document: Any, path: list[str | int], value: Any) -> Any:
    """The document with another value at a place; what is not on the way there is the same."""
    if not path:
        return value
    changed = copy(document)
    changed[path[0]] = _put(document[path[0]], path[1:], value)
    return changed


def choices(kind: Any, element: str = "") -> list[str]:
    """The words that are right at a place of a document of this type; none where others are, too."""
    words: list[str] = []
    for one in _at(kind, element):
        if isinstance(one, inspect.LiteralType):
            words += [str(value) for value in one.values]
        elif isinstance(one, inspect.EnumType):
            words += [str(member.value) for member in one.cls]
    return words


def _fields(kind: Any, element: str) -> list[str]:
    structs = [one for one in _at(kind, element) if isinstance(one, inspect.StructType)]
    return [field.encode_name for one in structs for field in one.fields]


@functools.lru_cache(maxsize=256)
def _type_info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _at(kind: Any, element: str) -> list[inspect.Type]:
    """What may be at a place, unions taken apart."""
    here = alternatives(_type_info(kind))
    for step in _STEP.findall(element):
        below: list[inspect.Type] = []
        for one in here:
            if isinstance(one, inspect.StructType):
                below += [field.type for field in one.fields if field.encode_name == step]
            elif isinstance(one, inspect.DictType):
                below.append(one.value_type)
            elif isinstance(one, inspect.ListType) and step.startswith("["):
                below.append(one.item_type)
        here = [inner for one in below for inner in alternatives(one)]
    return here


def alternatives(kind: inspect.Type) -> list[inspect.Type]:
    """The types that a value of this one may have: a union's, taken apart."""
    if isinstance(kind, inspect.UnionType):
        return [inner for one in kind.types for inner in alternatives(one)]
    return alternatives(kind.type) if isinstance(kind, inspect.Metadata) else [kind]
