"""Staging directives to and from JSON values.

A directive is a mapping of ``source``, ``target`` and, where they differ from the defaults, ``mode`` (a name) and
``flags`` (a list of names).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from .directives import in_order
from .errors import InvalidJobException
from .staging import StageIn, StageOut, StageOutFlags, StagingMode

if TYPE_CHECKING:
    from .spec import JobSpec

#: The fields of a job specification that are read and written here.
FIELDS = ("stage_in", "stage_out", "cleanup", "cleanup_flags")


def directives_to_dict(spec: JobSpec) -> dict[str, Any]:
    """What is to be staged and removed, as JSON values; nothing where there is nothing."""
    out: dict[str, Any] = {}
    if spec.stage_in:
        out["stage_in"] = [_paths(one) for one in in_order(spec.stage_in)]
    if spec.stage_out:
        out["stage_out"] = [_paths(one) | _flags("flags", one.flags) for one in in_order(spec.stage_out)]
    if spec.cleanup:
        out["cleanup"] = [os.fspath(path) for path in in_order(spec.cleanup)]
    return out | _flags("cleanup_flags", spec.cleanup_flags)


def _paths(directive: StageIn | StageOut) -> dict[str, Any]:
    out = {"source": str(directive.source), "target": str(directive.target)}
    if directive.mode is not StagingMode.COPY:
        out["mode"] = directive.mode.name
    return out


def _flags(field: str, flags: StageOutFlags) -> dict[str, Any]:
    # Members one by one: what iterating over a combination gives differs between versions of Python.
    names = [flag.name for flag in StageOutFlags if flag.value in (1, 2, 4, 8) and flag in flags]
    return {} if flags.effective is StageOutFlags.ALWAYS else {field: names}


def directives_from_dict(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of JobSpec from those of `FIELDS` that are there. Raises InvalidJobException naming the element."""
    out: dict[str, Any] = {}
    for name, kind, optional in (("stage_in", StageIn, ("mode",)), ("stage_out", StageOut, ("mode", "flags"))):
        if fields.get(name) is not None:
            items = enumerate(_list(fields[name], name))
            out[name] = [_directive(kind, item, f"{name}[{index}]", optional) for index, item in items]
    if fields.get("cleanup") is not None:
        out["cleanup"] = _list(fields["cleanup"], "cleanup")
    if fields.get("cleanup_flags") is not None:
        out["cleanup_flags"] = _read_flags(fields["cleanup_flags"], "cleanup_flags")
    return out


def _directive(
    kind: type[StageIn] | type[StageOut], item: Any, element: str, optional: tuple[str, ...]
) -> StageIn | StageOut:
    if not isinstance(item, Mapping):
        raise InvalidJobException(f"{element} must be a mapping, not {item!r}", element=element)
    for name in item:
        if name not in ("source", "target", *optional):
            known = ", ".join(sorted(("source", "target", *optional)))
            raise InvalidJobException(
                f"{element}.{name} is not a field; known are {known}", element=f"{element}.{name}"
            )
    more: dict[str, Any] = {}
    for name in ("source", "target"):
        # An empty one would be the directory itself once it is a `Path`.
        if not isinstance(item.get(name), str) or not item[name]:
            raise InvalidJobException(
                f"{element}.{name} must be a text that is not empty, not {item.get(name)!r}",
                element=f"{element}.{name}",
            )
    if "mode" in item:
        more["mode"] = _member(StagingMode, item["mode"], f"{element}.mode")
    if "flags" in item:
        more["flags"] = _read_flags(item["flags"], f"{element}.flags")
    try:
        return kind(item["source"], item["target"], **more)
    except ValueError as error:
        raise InvalidJobException(f"{element}: {error}", element=element) from error


def _read_flags(value: Any, element: str) -> StageOutFlags:
    flags = StageOutFlags.NONE
    for index, name in enumerate(_list(value, element)):
        flags |= _member(StageOutFlags, name, f"{element}[{index}]")
    return flags.effective


def _member(kind: type[Enum], name: Any, element: str) -> Any:
    try:
        return kind[name]
    except (KeyError, TypeError):
        known = ", ".join(kind.__members__)
        raise InvalidJobException(f"{element} must be one of {known}, not {name!r}", element=element) from None


def _list(value: Any, element: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidJobException(f"{element} must be a list, not {value!r}", element=element)
    return value
