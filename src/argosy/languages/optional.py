"""Reading our own JSON by the rule of GES 5.2: what is marked as optional and not understood is told and skipped, any
other element that is not understood is refused by its name.

A description marks elements with ``"optional": ["colour", "resources.tpus", "inputs[].colour"]``.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from argosy.model import InvalidInput

from . import native
from .contract import Note
from .faults import invalid
from .native import Description

_INDEX = re.compile(r"\[\d+\]")
_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")
#: The most elements that are taken out of one description.
_MOST = 200


def read(data: bytes) -> tuple[Description, list[Note]]:
    """A description, and notes on what of it was skipped. Raises InvalidInput naming the element."""
    try:
        found = native.decode(data)
    except InvalidInput:
        tree = _marked(data)
        if tree is None:
            raise
        return convert(tree)
    return _unmarked(found), []


def convert(tree: dict[str, Any]) -> tuple[Description, list[Note]]:
    """The same of JSON values, from which what is skipped is taken out. Raises InvalidInput naming the element."""
    marks = tree.get("optional")
    left = set(marks) if isinstance(marks, list) and all(isinstance(one, str) for one in marks) else set()
    notes: list[Note] = []
    for _ in range(_MOST):
        try:
            return _unmarked(msgspec.convert(tree, Description)), notes
        except msgspec.ValidationError as error:
            unknown = "unknown field" in str(error)
            found = invalid(error, Description, tree)
        element = found.element or ""
        if not unknown or not left & {element, _INDEX.sub("[]", element)} or not _take_out(tree, element):
            raise found
        notes.append(Note(element, "is not understood, and skipped, as it is marked as optional"))
    raise InvalidInput("too much of it is not understood", element="optional")


def _marked(data: bytes) -> dict[str, Any] | None:
    """The values of a description that marks anything as optional."""
    if b'"optional"' not in data:
        return None
    tree = msgspec.json.decode(data) if _is_json(data) else None
    return tree if isinstance(tree, dict) and tree.get("optional") else None


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _unmarked(description: Description) -> Description:
    """Marks have done what they are for; they are not kept."""
    return msgspec.structs.replace(description, optional=[]) if description.optional else description


def _take_out(tree: Any, element: str) -> bool:
    *steps, last = _STEP.findall(element)
    here = tree
    for step in steps:
        try:
            here = here[int(step[1:-1])] if step.startswith("[") else here[step]
        except (KeyError, IndexError, TypeError):
            return False
    if not isinstance(here, dict) or last not in here:
        return False
    del here[last]
    return True
