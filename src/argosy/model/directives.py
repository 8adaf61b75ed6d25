"""A job specification's staging and cleanup: what is right in them, and in which order they are carried out."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import InvalidJobException
from .staging import URI, StageIn, StageOut, StageOutFlags, StagingMode

if TYPE_CHECKING:
    from .spec import JobSpec

_T = TypeVar("_T")
_Check = Callable[[str, object], None]


def in_order(items: Iterable[_T] | None) -> Sequence[_T]:
    """The directives one after the other: as they stand in a list, sorted where they are a set."""
    if items is None:
        return ()
    return items if isinstance(items, (list, tuple)) else sorted(items, key=repr)


def check_directives(spec: JobSpec, check_text: _Check) -> None:
    """Raise InvalidJobException naming the first that is wrong. `check_text` checks one text of that element."""
    for index, one in enumerate(_collection("stage_in", spec.stage_in)):
        element = f"stage_in[{index}]"
        _instance(element, one, StageIn)
        _local(f"{element}.source", one.source, check_text)
        _path(f"{element}.target", one.target, check_text)
        _instance(f"{element}.mode", one.mode, StagingMode)
    for index, one in enumerate(_collection("stage_out", spec.stage_out)):
        element = f"stage_out[{index}]"
        _instance(element, one, StageOut)
        _path(f"{element}.source", one.source, check_text)
        _local(f"{element}.target", one.target, check_text)
        _instance(f"{element}.flags", one.flags, StageOutFlags)
        _instance(f"{element}.mode", one.mode, StagingMode)
    for index, path in enumerate(_collection("cleanup", spec.cleanup)):
        _cleanup(f"cleanup[{index}]", path, check_text)
    _instance("cleanup_flags", spec.cleanup_flags, StageOutFlags)


def _collection(element: str, value: object) -> Sequence[Any]:
    if value is not None and not isinstance(value, (list, tuple, set, frozenset)):
        raise InvalidJobException(f"{element} must be a list or a set, not {value!r}", element=element)
    return in_order(value)


def _instance(element: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise InvalidJobException(f"{element} must be a {kind.__name__}, not {value!r}", element=element)


def _path(element: str, value: object, check_text: _Check) -> None:
    check_text(element, os.fspath(value) if isinstance(value, os.PathLike) else value)


def _local(element: str, value: object, check_text: _Check) -> None:
    _instance(element, value, URI)
    assert isinstance(value, URI)
    if value.local_path is None:
        raise InvalidJobException(
            f"{element} is {str(value)!r}, but a job stages files of the machine that it runs on: give a path there, "
            "or file:///PATH; for URLs of other kinds submit the job to an Argosy service, which stages them itself",
            element=element,
        )
    check_text(element, value.local_path)


def _cleanup(element: str, value: object, check_text: _Check) -> None:
    _path(element, value, check_text)
    text = os.fspath(value)  # type: ignore[call-overload]  # has just been checked
    plain = posixpath.normpath(text)
    if text.rstrip("/").rpartition("/")[2] in ("", ".", "..") or plain == ".." or plain.startswith("../"):
        raise InvalidJobException(
            f"{element} is {text!r}, but only what is in the job's directory can be cleaned up, and not the directory "
            "itself",
            element=element,
        )
