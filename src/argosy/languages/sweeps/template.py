"""A description with places for parameters, and the descriptions that it becomes.

``{{NAME}}`` in a text is replaced by the parameter's value. Where the whole text is one place, in a field that is no
text (``"processes": "{{n}}"``), the value itself stands there. ``{{{{`` is the text ``{{``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from argosy.model import InvalidInput
from argosy.model.choices import listed

from .. import optional
from ..contract import Note
from ..faults import alternatives, invalid
from ..native import Description
from .document import INDEX
from .plan import Value

_PLACE = re.compile(r"(\{\{\{\{)|\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}", re.ASCII)
_DEEPEST = 64

#: Makes a part of the description from the values of a job.
_Make = Callable[[Mapping[str, Value]], Any]


class Template:
    """A description with places. Raises InvalidInput where a place names no parameter."""

    def __init__(self, description: Mapping[str, Any], names: Sequence[str]) -> None:
        self._names = frozenset([*names, INDEX])
        self._marked = bool(description.get("optional"))
        self._typed: dict[str, list[tuple[str, Any]]] = {}
        self._make = self._compile(dict(description), inspect.type_info(Description), "description", 0)

    def make(self, index: int, values: Mapping[str, Value]) -> Description:
        """The description of one job. Raises InvalidInput naming the element and the values."""
        tree = self._tree(index, values)
        try:
            if self._marked:
                return optional.convert(tree)[0]
            return msgspec.convert(tree, Description)
        except msgspec.ValidationError as error:
            found = invalid(error, Description, tree)
        except InvalidInput as error:
            found = error
        shown = told(values)
        element = f"description.{found.element}" if found.element else "description"
        raise InvalidInput(f"{found.message} (job {index}{f': {shown}' if shown else ''})", element=element)

    def skipped(self, values: Mapping[str, Value]) -> list[Note]:
        """What of the description is not understood, and marked as optional. Raises InvalidInput."""
        return optional.convert(self._tree(0, values))[1] if self._marked else []

    def check(self, name: str, value: Value) -> None:
        """Raise InvalidInput where a value is not of the type that one of its places needs."""
        for element, kind in self._typed.get(name, ()):
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                raise InvalidInput(f"{name} = {value!r} cannot be there: {error}", element=element) from None

    def typed(self, name: str) -> bool:
        """Whether a parameter is anywhere that a text cannot be."""
        return name in self._typed

    def _tree(self, index: int, values: Mapping[str, Value]) -> Any:
        return self._make({**values, INDEX: index})

    def _compile(self, part: Any, kind: Any, at: str, depth: int) -> _Make:
        if depth > _DEEPEST:
            raise InvalidInput("the description is nested too deeply", element=at)
        if isinstance(part, dict):
            made = {
                self._key(key, at): self._compile(inner, _below(kind, key), f"{at}.{key}", depth + 1)
                for key, inner in part.items()
            }
            return lambda values: {key: make(values) for key, make in made.items()}
        if isinstance(part, list):
            inner = [
                self._compile(one, _below(kind, None), f"{at}[{index}]", depth + 1) for index, one in enumerate(part)
            ]
            return lambda values: [make(values) for make in inner]
        if isinstance(part, str) and "{{" in part:
            return self._text(part, kind, at)
        return lambda values: part

    def _key(self, key: str, at: str) -> str:
        for match in _PLACE.finditer(key):
            if match[2] in self._names:
                raise InvalidInput("a parameter can be in a value, not in a name", element=f"{at}.{key}")
        return key

    def _text(self, text: str, kind: Any, at: str) -> _Make:
        pieces = list(_pieces(text))
        for name in (piece[1] for piece in pieces if piece[0]):
            if name not in self._names:
                known = listed(sorted(self._names), name)
                raise InvalidInput(
                    f"there is no parameter {name}; there are {known}. For the text itself write {{{{{{{{{name}}}}}",
                    element=at,
                )
        if len(pieces) == 1 and pieces[0][0] and not _is_text(kind):
            name = pieces[0][1]
            self._typed.setdefault(name, []).append((at, _python(kind)))
            return lambda values: values[name]
        return lambda values: "".join(as_text(values[name]) if place else name for place, name in pieces)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a text: whether it is a place, and the place's name or the text."""
    end = 0
    for match in _PLACE.finditer(text):
        if before := text[end : match.start()]:
            yield False, before
        yield (False, "{{") if match[1] else (True, match[2])
        end = match.end()
    if rest := text[end:]:
        yield False, rest


def as_text(value: Value) -> str:
    """A value in a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def told(values: Mapping[str, Value]) -> str:
    """Values for people, not too many of them."""
    shown = [f"{name}={as_text(value)[:80]}" for name, value in list(values.items())[:5]]
    return ", ".join([*shown, "..."] if len(values) > 5 else shown)


def _below(kind: Any, key: str | None) -> Any:
    """The type of a field, of a mapping's values or of a list's elements; None where there is no such thing."""
    for one in alternatives(kind):
        if key is None and isinstance(one, inspect.ListType):
            return one.item_type
        if key is not None and isinstance(one, inspect.DictType):
            return one.value_type
        if key is not None and isinstance(one, inspect.StructType):
            return next((field.type for field in one.fields if field.encode_name == key), None)
    return None


def _is_text(kind: Any) -> bool:
    """Whether a text, and nothing else, is what goes there. What is not known is decided on when it is converted."""
    found = [one for one in alternatives(kind) if not isinstance(one, inspect.NoneType)]
    return all(isinstance(one, (inspect.StrType, inspect.LiteralType)) for one in found)


#: Types by what msgspec says of them, to hold single values to.
_PYTHON: dict[type, Any] = {
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.BoolType: bool,
    inspect.StrType: str,
}


def _python(kind: Any) -> Any:
    found = [_PYTHON[type(one)] for one in alternatives(kind) if type(one) in _PYTHON]
    made: Any = Value
    if found:
        made = found[0]
        for one in found[1:]:
            made = made | one
    return made
