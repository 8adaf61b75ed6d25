"""Operations on sweeps where there are none: sweeps over HTTP are tested over a real service."""

from __future__ import annotations

from typing import Any

from argosy.model import NotFound
from argosy.service.contract import Operations


def _none(name: str) -> Any:
    async def operation(self: object, caller: object, id: object = "", *_: object, **__: object) -> Any:
        if name == "sweep_page":
            return [], None
        raise NotFound(f"there is no sweep {id!r}")

    return operation


NoSweeps = type("NoSweeps", (), {name: _none(name) for name in Operations.__abstractmethods__ if "sweep" in name})
