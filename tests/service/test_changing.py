"""Changing the status of activities: through the service, over processes of this machine and over Slurm."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from argosy.batch import Control
from argosy.client import Client, Description
from argosy.executors.contract import Handle, Report
from argosy.model import ArgosyError, InvalidInput, InvalidStateException, NotFound, Phase, Unavailable
from argosy.service.contract import ChangeRequest
from argosy.service.service import ExecutionService
from argosy.store import Activity
from tests.service.driving import ALICE, BOB, ToldDriver, create, record, told_service, until
from tests.service.running import RunningService
from tests.service.running import until as until_outside
from tests.waiting import LIMIT


class Controlled(ToldDriver):
    """Answers to controls as it is told, and reports what follows where it is to."""

    answers: Sequence[ArgosyError | None] = ()
    asked: list[tuple[Control, list[str]]]
    shows = True

    async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
        self.asked = [*getattr(self, "asked", []), (verb, [handle.tag for handle in handles])]
        if self.answers:
            answer, self.answers = self.answers[0], self.answers[1:]
            return [answer for _ in handles]
        phase = {
            Control.HOLD: Phase.HELD,
            Control.RELEASE: Phase.QUEUED,
            Control.SUSPEND: Phase.SUSPENDED,
            Control.RESUME: Phase.RUNNING,
        }.get(verb)
        if self.shows and phase is not None:
            await self.tell(phase, *(handle.tag for handle in handles))
        return [None for _ in handles]

    async def tell(self, phase: Phase, *ids: str) -> None:
        await self.on_reports([Report(id, id, phase, time.time()) for id in ids])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _queued(service: ExecutionService, driver: Controlled) -> str:
    id = await create(service)
    await until(lambda: id in driver.submitted)
    await driver.tell(Phase.QUEUED, id)
    return id


async def _ask(service: ExecutionService, id: str, action: str, wait: float = LIMIT) -> Activity | ArgosyError:
    (answer,) = await service.change(ALICE, [ChangeRequest(id, action)], wait=wait)
    return answer


@pytest.mark.anyio
async def test_the_answer_comes_when_the_batch_system_shows_it(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled()) as (service, driver):
        id = await _queued(service, driver)
        held = await _ask(service, id, "hold")
        assert held.state == "running:lrms:hold"
        assert (await _ask(service, id, "hold")).version == held.version, "what is so already changes nothing"
        released = await _ask(service, id, "release")
        assert (released.state, released.wish) == ("running:lrms:queued", None)
        by = [event.by for event in await service.events(ALICE, id) if event.kind == "asked"]
        assert by == ["alice", "alice"]


@pytest.mark.anyio
async def test_a_vector_is_answered_in_order_each_by_itself(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled()) as (service, driver):
        queued, started = [await _queued(service, driver) for _ in range(2)]
        held = await create(service, held=True)
        await driver.tell(Phase.RUNNING, started)
        answers = await service.change(
            ALICE,
            [
                ChangeRequest(queued, "hold"),
                ChangeRequest("nothing", "hold"),
                ChangeRequest(started, "hold"),
                ChangeRequest(held, "start"),
                ChangeRequest(started, "suspend"),
                ChangeRequest(queued, state="terminated"),
                ChangeRequest(queued, "dance"),
                ChangeRequest(queued),
            ],
            wait=LIMIT,
        )
        assert [getattr(answer, "state", type(answer)) for answer in answers[:2]] == ["running:lrms:hold", NotFound]
        assert isinstance(answers[2], InvalidStateException)
        assert answers[2].allowed == ("suspend", "terminate")
        assert answers[3].state.startswith(("pending", "running:stage-in")), "it has begun"
        assert answers[4].state == "running:lrms:suspended"
        assert answers[5].state == "running:terminating"
        assert isinstance(answers[6], InvalidInput)
        assert answers[6].element == "action"
        assert isinstance(answers[7], InvalidInput)
        (foreign,) = await service.change(BOB, [ChangeRequest(started, "resume")])
        assert isinstance(foreign, NotFound)


@pytest.mark.anyio
async def test_a_refusal_is_a_conflict_in_the_batch_systems_words(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled()) as (service, driver):
        id = await _queued(service, driver)
        driver.answers = [InvalidStateException("Access/permission denied")]
        answer = await _ask(service, id, "hold")
        assert isinstance(answer, InvalidStateException)
        assert answer.message == "Access/permission denied"
        driver.controls = frozenset({Control.CANCEL})
        answer = await _ask(service, id, "hold")
        assert answer.message == "told cannot hold jobs"
        assert answer.allowed == ("terminate",)


@pytest.mark.anyio
async def test_while_the_batch_system_is_away_it_is_tried_again(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled()) as (service, driver):
        id = await _queued(service, driver)
        driver.answers = [Unavailable("slurmctld is away")] * 3
        now = await _ask(service, id, "hold", wait=0.0)
        assert now.state == "running:lrms:queued"
        assert now.wish.action == "hold"
        await until(lambda: _is(service, id, "running:lrms:hold"))
        assert len(driver.asked) == 4
        told = [event.message for event in await service.events(ALICE, id) if event.kind == "unavailable"]
        assert told == ["slurmctld is away"]


async def _is(service: ExecutionService, id: str, state: str) -> bool:
    return (await record(service, id)).state == state


@pytest.mark.anyio
async def test_what_does_not_show_is_given_up(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled(), control_patience=0.2) as (service, driver):
        driver.shows = False
        id = await _queued(service, driver)
        answer = await _ask(service, id, "hold")
        assert isinstance(answer, InvalidStateException)
        assert "given up after 0.2 s" in answer.message
        assert (await record(service, id)).wish is None


@pytest.mark.anyio
async def test_a_wish_outlives_its_service(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled()) as (service, driver):
        id = await _queued(service, driver)
        driver.answers = [Unavailable("away")] * 1000
        await _ask(service, id, "hold", wait=0.0)
    driver = Controlled()
    driver.submitted.append(id)
    async with told_service(tmp_path, driver=driver) as (service, _):
        await until(lambda: _is(service, id, "running:lrms:hold"))


@pytest.mark.anyio
async def test_two_wishes_do_not_overtake_each_other(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Controlled()) as (service, driver):
        id = await _queued(service, driver)
        answers = await service.change(
            ALICE, [ChangeRequest(id, one) for one in ("hold", "release", "hold", "release")], wait=LIMIT
        )
        assert [str(answer.state) for answer in answers] == ["running:lrms:hold", "running:lrms:queued"] * 2
        assert [verb for verb, _ in driver.asked] == ["hold", "release", "hold", "release"]


# -- a real service -------------------------------------------------------------------------------


def _long(share: str, tmp_path: Path) -> Description:
    return Description(
        executable="/bin/sh",
        arguments=["-c", "for i in $(seq 6000); do echo $i > beat; sleep 0.05; done"],
        share=share,
    )


def _beat(client: Client, id: str) -> bytes:
    """What it wrote last; nothing where it has written nothing yet."""
    try:
        return client.read_file(id, "beat")
    except NotFound:
        return b""


def _state(client: Client, id: str, wanted: str) -> None:
    until_outside(lambda: client.status(id).state == wanted, 60)


def test_suspend_and_resume_a_job_that_runs(service: RunningService, share: str, tmp_path: Path) -> None:
    service.start()
    with service.client() as client:
        id = client.submit(_long(share, tmp_path)).id
        _state(client, id, "running:lrms:running")
        until_outside(lambda: _beat(client, id))
        stopped = client.change(id, "suspend", wait=60)
        assert stopped.state == "running:lrms:suspended", list(client.events(id))
    service.kill()
    service.start()
    with service.client() as client:
        assert client.status(id).state == "running:lrms:suspended"
        before = _beat(client, id)
        going = client.change(id, state="running:lrms:running", wait=60)
        assert going.state == "running:lrms:running"
        until_outside(lambda: _beat(client, id) not in (before, b""))
        client.terminate(id)
        assert client.wait(id, 60).state == "terminated"


def test_hold_and_release_what_waits(service: RunningService, share: str, tmp_path: Path) -> None:
    (service.directory / "argosy.toml").write_text(
        f'[resources.{share}]\ntype = "{share}"\n' + ("slots = 1\n" if share == "local" else "poll = 1\n")
    )
    service.start()
    with service.client() as client:
        # On one core the second waits for the first; on Slurm a time to begin makes it wait.
        first = client.submit(_long(share, tmp_path)).id if share == "local" else None
        if first is not None:
            _state(client, first, "running:lrms:running")
        more = {"custom": {"slurm.begin": "now+1hour"}} if share == "slurm" else {}
        id = client.submit(Description(executable="/bin/true", share=share, **more)).id
        _state(client, id, "running:lrms:queued")
        held = client.change(id, "hold", wait=60)
        assert (held.state, held.held) == ("running:lrms:hold", True)
        service.kill()
        service.start()
    with service.client() as client:
        assert client.status(id).state == "running:lrms:hold"
        if first is not None:
            client.terminate(first)
            client.wait(first, 60)
            assert client.status(id).state == "running:lrms:hold", "there is room, and it is held"
        released = client.change(id, "release", wait=60)
        assert released.state.startswith(("running:lrms", "finished", "running:stage-out"))
        assert not released.held
        client.terminate(id)
        client.wait(id, 60)


@pytest.mark.kill
@pytest.mark.parametrize("point", ["control-before", "control-after"])
def test_a_hold_survives_a_kill(service: RunningService, point: str, tmp_path: Path) -> None:
    (service.directory / "argosy.toml").write_text('[resources.local]\ntype = "local"\nslots = 1\n')
    service.start(fault=point)
    with service.client(retries=0) as client:
        first = client.submit(_long("local", tmp_path)).id
        _state(client, first, "running:lrms:running")
        id = client.submit(Description(executable="/bin/true")).id
        _state(client, id, "running:lrms:queued")
        with pytest.raises(ArgosyError):
            client.hold(id)
    assert service.died()
    service.start()
    with service.client() as client:
        _state(client, id, "running:lrms:hold")
        client.terminate(first)
        assert client.release(id).asked is None
        assert client.wait(id, 60).state == "finished"
