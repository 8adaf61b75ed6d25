"""What comes together for several accounts is performed for each by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from argosy.executors.contract import JobRequest
from argosy.languages import native
from argosy.model import ActivityState, Unavailable
from argosy.service.engine.engine import Live
from argosy.service.engine.performer import Performer
from argosy.service.files.sessions import Sessions
from argosy.service.lifecycle import Accepted, Away, Instruction, needs_of
from argosy.service.matching.resources import Resource
from argosy.service.policy import ServicePolicy
from argosy.store import Activity

pytestmark = pytest.mark.anyio


class OneIsLocked(Sessions):
    """Whose account b cannot be reached."""

    def make(self, sessions: Sequence[str]) -> None:
        if any("/@b/" in session for session in sessions):
            raise Unavailable("account b is locked")


class Posted:
    """Stands for the engine: what it is told, by activity."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def post(self, id: str, happened: Any) -> None:
        self.told[id] = happened

    def went_well(self, live: Live) -> None:
        pass

    def again(self, live: Live, instruction: Instruction, **more: Any) -> bool:
        return True


async def test_an_account_that_cannot_be_reached_keeps_up_nobody_else(tmp_path: Any) -> None:
    calls: list[list[str]] = []

    async def submit(requests: Sequence[JobRequest]) -> list[str]:
        calls.append([request.tag for request in requests])
        return [f"native-{request.tag}" for request in requests]

    async def prepare(*_: Any) -> dict[str, str]:
        return {}

    driver: Any = SimpleNamespace(submit=submit)
    resources: Any = {"r": Resource("r", driver, opened=True)}
    none: Any = None
    router: Any = SimpleNamespace(named=lambda names: [])
    sessions = OneIsLocked(str(tmp_path), lambda point: None)
    performer = Performer(none, sessions, resources, ServicePolicy(), none, lambda point: None, router)
    engine: Any = Posted()
    performer.engine = engine
    offering: Any = SimpleNamespace(prepare=prepare, renewals=lambda owner: 0)
    performer.offering = offering
    asked = native.Description(executable="/bin/true")
    for id, account in (("1", "a"), ("2", "b"), ("3", "a"), ("4", None)):
        record = Activity(id, "somebody", ActivityState.STAGED_IN, 1, 0.0, 0.0)
        session = f"{tmp_path}/@{account}/00/{id}"
        record = record.but(resource="r", local_account=account, session=session)
        performer.perform(Instruction.SUBMIT, Live(record, needs_of(asked), native.to_model(asked)))
    async with asyncio.timeout(10):
        while len(engine.told) < 4:
            await asyncio.sleep(0.01)
    await performer.stop()
    assert sorted(calls) == [["1", "3"], ["4"]]
    assert engine.told["2"] == Away("account b is locked", "recover")
    assert {id for id, happened in engine.told.items() if isinstance(happened, Accepted)} == {"1", "3", "4"}
