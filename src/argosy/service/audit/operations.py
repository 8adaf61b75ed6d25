"""The service's operations, each leaving a line about who asked for what, and what came of it."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from argosy.identity.policy import Operation
from argosy.model import ArgosyError
from argosy.service.caller import Caller
from argosy.service.contract import Operations
from argosy.service.policy import ServicePolicy

from .trail import Trail

#: The most activities that one line names; of more it says how many.
_NAMED = 100
_STREAMS = (Operation.STREAM, Operation.STREAM_SWEEP)


def audited(operations: Operations, trail: Trail) -> Operations:
    """The same operations, with their lines."""
    methods: dict[str, Any] = {one.value: _method(one.value, one in _STREAMS) for one in Operation}
    kind = type("AuditedOperations", (_Audited, Operations), methods)
    return cast(Operations, kind(operations, trail))


class _Audited:
    def __init__(self, operations: Operations, trail: Trail) -> None:
        self.inner = operations
        self.about = operations.about
        self.trail = trail

    @property
    def notice(self) -> str | None:
        return self.inner.notice

    @property
    def newest(self) -> int:
        return self.inner.newest

    @property
    def unready(self) -> list[str]:
        return self.inner.unready

    @property
    def policy(self) -> ServicePolicy:
        return self.inner.policy


def _method(name: str, streaming: bool) -> Any:
    template = getattr(Operations, name)

    @functools.wraps(template, updated=())
    async def call(self: _Audited, caller: Caller, *arguments: Any, **named: Any) -> Any:
        line = _line(name, caller, arguments, named)
        try:
            answer = await getattr(self.inner, name)(caller, *arguments, **named)
        except ArgosyError as error:
            self.trail.write(line | {"result": error.code})
            raise
        except BaseException as error:
            # Whoever was cut off may have had done what they asked for.
            self.trail.write(line | {"result": "cut-off" if isinstance(error, asyncio.CancelledError) else "internal"})
            raise
        self.trail.write(line | _outcome(answer, line))
        return answer

    @functools.wraps(template, updated=())
    async def stream(self: _Audited, caller: Caller, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        line = _line(name, caller, arguments, named)
        begun = False
        try:
            async for each in getattr(self.inner, name)(caller, *arguments, **named):
                if not begun:
                    begun = True
                    self.trail.write(line | {"result": "ok"})
                yield each
        except ArgosyError as error:
            self.trail.write(line | {"result": error.code})
            raise
        except BaseException as error:
            if isinstance(error, Exception):
                self.trail.write(line | {"result": "internal"})
            elif not begun:  # whoever listened has gone before anything happened
                self.trail.write(line | {"result": "ok"})
            raise
        if not begun:
            self.trail.write(line | {"result": "ok"})

    return stream if streaming else call


def _line(name: str, caller: Caller, arguments: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"who": caller.name, "how": caller.method, "operation": name}
    about = arguments[0] if arguments else named.get("id", named.get("ids"))
    if name == "create":
        about = None  # they have no ids yet, and are read once
    ids = _ids(about)
    if ids:
        line["on"] = ids[:_NAMED]
    if len(ids) > _NAMED:
        line["count"] = len(ids)
    if name == "change" and isinstance(about, Sequence):
        line["actions"] = sorted({str(one.action or one.state) for one in about})
    if len(arguments) > 1 and isinstance(arguments[1], str) and name.endswith("_file"):
        line["path"] = arguments[1]
    return line


def _ids(about: Any) -> list[str]:
    """The ids that an operation is asked for."""
    if isinstance(about, str):
        return [about]
    if type(about) is not list and not isinstance(about, Sequence):  # asking the ABC takes longer than all the rest
        return []
    found = [one if isinstance(one, str) else getattr(one, "id", None) for one in about]
    return [one for one in found if isinstance(one, str)]


def _outcome(answer: Any, line: dict[str, Any]) -> dict[str, Any]:
    """``ok``, or for a vector in which not all is well how many came to what."""
    found: dict[str, Any] = {"result": "ok"}
    if not isinstance(answer, list):
        return found
    errors = Counter(one.code for one in answer if isinstance(one, ArgosyError))
    if errors:
        good = len(answer) - sum(errors.values())
        if len(answer) == 1:
            found["result"] = next(iter(errors))
        else:
            found["result"] = dict(errors) | ({"ok": good} if good else {})
    if line["operation"] in ("create", "add_credential") and "on" not in line:
        made = [one.activity.id for one in answer if hasattr(one, "activity") and hasattr(one.activity, "id")]
        found["on"] = made[:_NAMED]
        if len(made) > _NAMED:
            found["count"] = len(made)
    return found
