"""What msgspec finds wrong with a document, as our own error: where it is, and what would be right there."""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec
from msgspec import inspect

from argosy.model import InvalidInput
from argosy.model.choices import meant, none_of

_STEP = re.compile(r"[^.\[\]]+|\[\d+\]|\[\.\.\.\]")
_ENUM = re.compile(r"Invalid enum value '?(.*?)'?\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z", re.DOTALL)


def invalid(error: msgspec.ValidationError, kind: Any = None) -> InvalidInput:
    """The error, its sentence apart from the element's path; `kind` is the type that the whole document is to have.

    Where one of few words is right all of them are told; of a field that is not known the one that was meant, as far as
    that can be told.
    """
    message, _, path = str(error).partition(" - at `$")
    element = path.rstrip("`").removeprefix(".") or None
    if kind is not None:
        if match := _ENUM.match(message):
            words = choices(kind, element or "")
            message = none_of(match[1], words) if words else message
        elif match := _UNKNOWN.match(message):
            message = f"there is no field {match[1]!r} here{meant(match[1], _fields(kind, element or ''))}"
            return InvalidInput(message, element=match[1] if element is None else f"{element}.{match[1]}")
    if "field `" in message:
        field = message.split("field `")[1].split("`")[0]
        element = field if element is None else f"{element}.{field}"
    return InvalidInput(message, element=element)


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
