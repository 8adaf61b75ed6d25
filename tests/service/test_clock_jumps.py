"""The machine's clock is set by hours or years while the service runs, and set right again."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from argosy.languages.documents_credentials import NewCredential
from argosy.languages.native import Description
from argosy.model import ActivityState, Conflict, clock
from argosy.model.clock import PATIENCE, Clock
from argosy.service.contract import CreateRequest
from argosy.store import Created
from tests.notifications.receiver import receiving
from tests.notifications.test_sender import whole
from tests.service.driving import ALICE, create, record, told_service, until

pytestmark = pytest.mark.anyio
YEAR, HOUR = 365 * 86_400.0, 3600.0


class Machine:
    """Its clocks run on; a test sets the one that people see, and lets time pass."""

    def __init__(self) -> None:
        self.set = 0.0
        self.passed = 0.0

    def wall(self) -> float:
        return time.time() + self.set + self.passed

    def steady(self) -> float:
        return time.monotonic() + self.passed


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    one = Machine()
    monkeypatch.setattr(clock, "CLOCK", Clock(one.wall, one.steady))
    return one


def request(key: str) -> CreateRequest:
    return CreateRequest(Description(executable="/bin/true"), key)


async def test_nothing_expires_by_a_jump_that_is_taken_back(tmp_path: Path, machine: Machine) -> None:
    async with told_service(tmp_path, housekeeping=0.02) as (service, driver):
        (made,) = await service.create(ALICE, [request("k")])
        assert isinstance(made, Created)
        kept = await service.keeper.add(
            ALICE, NewCredential(kind="token", token="t", expires="2040-01-01T00:00:00Z", hosts=["h"])
        )
        await until(lambda: driver.submitted)  # what is told of before is not submitted any more
        await driver.end(made.activity.id)
        for jump in (30 * YEAR, -30 * YEAR):
            machine.set = jump
            rounds = await _rounds(service)
            (again,) = await service.create(ALICE, [request("k")])
            assert isinstance(again, Created), (again, rounds)
            assert again.existed
            assert (await record(service, made.activity.id)).state is ActivityState.FINISHED
            await service.keeper.renew_due()
            assert [one.id for one in await service.keeper.listed(ALICE)] == [kept.id]
            assert (await service.keeper.look(ALICE, kept.id)).expires == kept.expires
            machine.set = 0.0
        assert driver.submitted == [made.activity.id]


async def _rounds(service: Any) -> int:
    """Several rounds of housekeeping, each of which would purge what has expired."""
    for _ in range(3):
        await service._housekeeping._expire()
        await service._housekeeping._take()
    return 3


async def test_a_jump_that_lasts_is_followed(tmp_path: Path, machine: Machine) -> None:
    async with told_service(tmp_path, housekeeping=0.02) as (service, driver):
        id = await create(service)
        await until(lambda: driver.submitted == [id])
        await driver.end(id)
        await until(lambda: _is(service, id, ActivityState.FINISHED))
        machine.set = YEAR
        clock.now()
        machine.passed = PATIENCE + 1
        clock.now()

        async def gone() -> bool:
            return not (await service._store.get([id]))

        await until(gone)
        (other,) = await service.create(ALICE, [request("new")])
        assert not isinstance(other, Conflict)


async def _is(service: object, id: str, state: ActivityState) -> bool:
    return (await record(service, id)).state is state


async def test_a_message_that_was_put_off_does_not_wait_for_a_clock_that_was_set_back(
    tmp_path: Path, machine: Machine
) -> None:
    with receiving() as receiver:
        receiver.answer = lambda got: (503, {"retry-after": "3600"}, b"")
        async with whole(tmp_path) as it:
            it.service.sender._clock = clock.now
            mine = await it.held(receiver.url)
            await it.end(mine)
            await until(lambda: receiver.got)
            await it.idle()
            receiver.answer = lambda got: (204, {}, b"")
            machine.set = -10 * HOUR
            clock.now()
            machine.passed = max(PATIENCE + 1, HOUR + 1)
            clock.now()
            it.service.sender.wake()
            await until(lambda: len(receiver.got) >= 2)


@pytest.mark.parametrize("jump", [-5 * HOUR, 5 * HOUR])
async def test_times_and_numbers_of_events_never_go_back(tmp_path: Path, machine: Machine, jump: float) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        await until(lambda: driver.submitted == [id])
        machine.set = jump
        clock.now()
        machine.passed = PATIENCE + 1
        clock.now()
        assert clock.shifted() == pytest.approx(jump, abs=2)
        await driver.end(id)  # whose host's clock was never set
        await until(lambda: _is(service, id, ActivityState.FINISHED))
        events = await service.events(ALICE, id)
        assert all(one.seq < two.seq and one.time <= two.time for one, two in pairwise(events))
        done = await record(service, id)
        assert done.ended is not None
        assert done.submitted is not None
        assert done.ended >= (done.started or done.submitted)
