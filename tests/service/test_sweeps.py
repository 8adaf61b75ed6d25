"""Sweeps as a service carries them out, over a driver whose answers a test decides."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from argosy.identity import Caller, Operation, Role, Scope
from argosy.languages.native import Description
from argosy.languages.sweeps import Options
from argosy.model import (
    ActivityState,
    Conflict,
    InvalidInput,
    InvalidStateException,
    LimitExceeded,
    NotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
    clock,
)
from argosy.model.sweep import SweepState
from argosy.service.administration.limits import Limits
from argosy.service.contract import CreateRequest
from argosy.service.matching.share_config import SharesConfig
from argosy.service.service import ExecutionService
from argosy.service.sweeps.contract import SweepRequest
from argosy.service.sweeps.deciding import Become, EndActivities, Expand, Remove, Wait, next_step
from argosy.service.sweeps.operations import _digest
from argosy.store import Activity, Query, Sweep, SweepDocument, SweepQuery
from tests.languages import documents as xml
from tests.service.driving import ALICE, BOB, ToldDriver, create, routed_service, told_service, until
from tests.waiting import LIMIT

pytestmark = pytest.mark.anyio
S = SweepState


def document(jobs: int = 10, **more: Any) -> SweepDocument:
    description = {"executable": "/bin/echo", "arguments": ["{{n}}"]} | more.pop("description", {})
    sweep = more.pop("sweep", {"parameter": "n", "from": 1, "to": jobs})
    return SweepDocument("json", True, json.dumps({"description": description, "sweep": sweep} | more).encode())


async def created(service: ExecutionService, jobs: int = 10, caller: Caller = ALICE, **more: Any) -> str:
    return (await service.create_sweep(caller, SweepRequest(document(jobs, **more)))).sweep.id


async def now(service: ExecutionService, id: str) -> Sweep:
    return (await service.sweep(ALICE, id)).sweep


async def children(service: ExecutionService, id: str, *states: str) -> list[Activity]:
    found: list[Activity] = []
    after: str | None = None
    while True:
        page, after = await service.page(ALICE, Query(sweep=id, states=states, after=after, limit=100))
        found += page
        if after is None:
            return sorted(found, key=lambda one: one.parameters["index"])


async def submitted(service: ExecutionService, driver: ToldDriver, count: int) -> None:
    await until(lambda: len(driver.submitted) >= count, f"{count} jobs")


async def test_jobs_are_made_as_others_end_and_have_their_values(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await created(service, 10, window=4, name="ten", description={"tags": {"n": "{{n}}"}})
        await submitted(service, driver, 4)
        first = await now(service, id)
        assert (first.total, first.made, first.open, first.name) == (10, 4, 4, "ten")
        for start in range(0, 10, 2):
            assert len(driver.submitted) == min(start + 4, 10)
            await driver.end(*driver.submitted[start : start + 2], exit_code=start % 4)
            await submitted(service, driver, min(start + 6, 10))
        status = await service.sweep(ALICE, id, wait=LIMIT)
        done = status.sweep
        assert (done.state, done.finished, done.nonzero, done.open, status.states) == (S.FINISHED, 10, 4, 0, {})
        assert done.reason == "of 10 jobs 4 ended with another exit code than 0"
        made = await children(service, id)
        assert [one.parameters for one in made] == [{"n": number + 1, "index": number} for number in range(10)]
        assert [one.tags["n"] for one in made] == [str(number + 1) for number in range(10)]
        assert (await service.description(ALICE, made[3].id)).arguments == ["4"]
        assert [one.state for one in await service.sweep_events(ALICE, id)] == [S.RUNNING, S.FINISHED]


async def test_never_more_are_unfinished_than_the_window(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await created(service, 700, window=300)
        await submitted(service, driver, 300)
        most = 0

        async def step() -> bool:
            nonlocal most
            sweep = await now(service, id)
            most = max(most, sweep.open)
            assert sweep.open <= 300
            ended = {one.id for one in await children(service, id, "finished")}
            await driver.end(*[one for one in driver.submitted if one not in ended][:100])
            return sweep.state.final

        await until(step)
        assert most == 300
        assert len(set(driver.submitted)) == 700


async def test_held_and_released(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await created(service, 6, window=2, held=True)
        assert (await now(service, id)).state is S.HELD
        assert (await service.release_sweep(ALICE, id)).state is S.RUNNING
        await submitted(service, driver, 2)
        assert (await service.hold_sweep(ALICE, id)).state is S.HELD
        assert (await service.hold_sweep(ALICE, id)).state is S.HELD
        await driver.end(*driver.submitted)
        await until(lambda: _open(service, id, 0))
        assert len(await children(service, id)) == 2
        assert (await now(service, id)).state is S.HELD
        await service.release_sweep(ALICE, id)
        await submitted(service, driver, 4)
        await driver.end(*driver.submitted[2:])
        await submitted(service, driver, 6)
        with pytest.raises(InvalidStateException, match="all of its jobs are made"):
            await service.hold_sweep(ALICE, id)
        await driver.end(*driver.submitted[4:])
        assert (await service.sweep(ALICE, id, wait=LIMIT)).sweep.state is S.FINISHED
        for refused in (service.hold_sweep, service.release_sweep):
            with pytest.raises(InvalidStateException):
                await refused(ALICE, id)


async def _reason(service: ExecutionService, id: str) -> str | None:
    return (await now(service, id)).reason


async def _open(service: ExecutionService, id: str, count: int) -> bool:
    return (await now(service, id)).open == count


async def test_held_in_the_description_holds_the_sweep_and_not_its_jobs(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await created(service, 2, description={"held": True})
        assert (await now(service, id)).state is S.HELD
        await service.release_sweep(ALICE, id)
        await submitted(service, driver, 2)


async def test_terminated_as_a_whole(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        driver.control = _ending(driver)
        id = await created(service, 1000, window=250)
        await submitted(service, driver, 250)
        await driver.end(*driver.submitted[:10])
        await submitted(service, driver, 260)
        assert (await service.terminate_sweep(ALICE, id)).state is S.TERMINATING
        again = await service.terminate_sweep(ALICE, id)
        done = (await service.sweep(ALICE, id, wait=LIMIT)).sweep
        assert (done.state, done.by, done.finished) == (S.TERMINATED, "alice", 10)
        assert done.terminated == done.made - 10 < 990
        assert all(one.terminate_by == "alice" for one in await children(service, id, "terminated"))
        assert again.state in (S.TERMINATING, S.TERMINATED)
        assert (await service.terminate_sweep(ALICE, id)).version == done.version


def _ending(driver: ToldDriver) -> Any:
    async def control(verb: object, handles: Any) -> list[None]:
        await driver.end(*(handle.tag for handle in handles), exit_code=143)
        return [None for _ in handles]

    return control


async def test_it_stops_after_so_many_failures(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        driver.control = _ending(driver)
        id = await created(service, 100, window=5, stop_after_failures=2)
        await submitted(service, driver, 5)
        await driver.end(*driver.submitted[:2], exit_code=1)
        done = (await service.sweep(ALICE, id, wait=LIMIT)).sweep
        assert (done.state, done.by, done.failures) == (S.FAILED, None, 2)
        assert done.reason == "2 of its jobs failed; it was to stop after 2"
        assert done.made < 100


async def test_jobs_that_cannot_be_are_told_and_passed_over(tmp_path: Path) -> None:
    names = [f"in/{number}" for number in range(300)]
    names[299] = "../out"  # behind what is looked at before, but for the last
    async with told_service(tmp_path) as (service, driver):
        text = document(sweep={"parameter": "p", "values": names}, description={"arguments": [], "stdout": "{{p}}"})
        with pytest.raises(InvalidInput, match="job 299 of the sweep") as caught:
            await service.create_sweep(ALICE, SweepRequest(text))
        assert caught.value.element == "description.stdout"
        names[299], names[270] = "in/299", "../out"
        text = document(sweep={"parameter": "p", "values": names}, description={"arguments": [], "stdout": "{{p}}"})
        made = await service.create_sweep(ALICE, SweepRequest(text))
        await submitted(service, driver, 299)
        (told,) = [one for one in await service.sweep_events(ALICE, made.sweep.id) if one.kind == "refused"]
        assert told.index == 270
        assert (told.message or "").startswith("description.stdout: ")
        assert (told.message or "").endswith("(job 270: p=../out)")
        await driver.end(*driver.submitted)
        done = (await service.sweep(ALICE, made.sweep.id, wait=LIMIT)).sweep
        assert (done.state, done.finished, done.refused, done.failures) == (S.FINISHED, 299, 1, 1)


async def test_the_place_is_that_in_the_document_of_another_language(tmp_path: Path) -> None:
    names = [f"in/{number}" for number in range(300)]
    names[270] = "../out"
    swept = xml.sweep(xml.assignment("//jsdl-posix:Output", xml.values(*names)))
    text = xml.definition(xml.posix("\n<jsdl-posix:Output>out</jsdl-posix:Output>"), swept)
    async with told_service(tmp_path) as (service, driver):
        made = await service.create_sweep(ALICE, SweepRequest(SweepDocument("jsdl", True, text)))
        await submitted(service, driver, 299)
        (told,) = [one for one in await service.sweep_events(ALICE, made.sweep.id) if one.kind == "refused"]
        assert told.index == 270
        assert (told.message or "").startswith("job 270 of the sweep (Output=../out): ")
        assert (told.message or "").count("JobDefinition/JobDescription/Application/POSIXApplication/Output: ") == 1
        assert (told.message or "").endswith("(line 2)")


@pytest.mark.parametrize(
    ("made", "element"),
    [
        (document(description={"executable": ""}), "description.executable"),
        (document(description={"resources": {"processes": "{{x}}"}}), "description.resources.processes"),
        (document(description={"resources": {"nodes": "{{n}}"}}, sweep={"parameter": "n", "values": [1, 2, "x"]}),
         "description.resources.nodes"),
        (document(description={"resources": {"nodes": "{{n}}"}}, sweep={"parameter": "n", "values": [1, 2, 0, 1]}),
         "description.resources.nodes"),
        (document(description={"colour": 1}), "description.colour"),
        (document(description={"share": "nowhere"}), "description.share"),
        (document(description={"stdin": "/{{n}}/../..", "stdout": "../{{n}}"}), "description.stdout"),
        (document(sweep={"parameter": "n"}), "sweep"),
        (document(window=0), "window"),
        (SweepDocument("json", True, b'{"executable": "x"}'), None),
        (SweepDocument("klingon", True, b"x"), "language"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_and_recorded_nowhere(
    tmp_path: Path, made: SweepDocument, element: str | None
) -> None:
    async with told_service(tmp_path) as (service, driver):
        with pytest.raises(InvalidInput) as caught:
            await service.create_sweep(ALICE, SweepRequest(made, key="k"))
        assert caught.value.element == element, caught.value
        assert await service.sweep_page(ALICE, SweepQuery()) == ([], None)
        assert driver.submitted == []


async def test_limits(tmp_path: Path) -> None:
    async with told_service(tmp_path, sweep_limit=100, sweep_window_limit=10, sweep_window=5) as (service, driver):
        with pytest.raises(TooLarge, match="101 jobs; the most are 100"):
            await created(service, 101)
        with pytest.raises(InvalidInput, match="the most are 10"):
            await created(service, 100, window=11)
        await created(service, 100)
        await submitted(service, driver, 5)


async def test_where_its_jobs_go_can_be_said_beside_the_document(tmp_path: Path) -> None:
    drivers = {"first": ToldDriver(), "second": ToldDriver()}
    script = SweepDocument("script", False, b"#!/bin/sh\n#SBATCH --array=1-4\ntrue\n")
    async with routed_service(tmp_path, drivers) as service:
        for number, text in enumerate((script, document(4, description={"share": "first"}))):
            made = (await service.create_sweep(ALICE, SweepRequest(text, Options(share="second", window=2)))).sweep
            await submitted(service, drivers["second"], number * 4 + 2)
            await drivers["second"].end(*drivers["second"].submitted)
            await submitted(service, drivers["second"], number * 4 + 4)
            await drivers["second"].end(*drivers["second"].submitted)
            assert (await service.sweep(ALICE, made.id, wait=LIMIT)).sweep.share == "second"
        assert drivers["first"].submitted == []
        with pytest.raises(InvalidInput, match="did you mean second") as caught:
            await service.create_sweep(ALICE, SweepRequest(script, Options(share="secnd")))
        assert caught.value.element == "share"


def test_who_repeats_a_sweep_is_known_as_before() -> None:
    """The digest is recorded, and compared with those of later versions."""
    known = _digest(SweepRequest(SweepDocument("json", True, b"{}"), Options("n", 3, None, False)))
    assert known.hex() == "db84e471eb65d4bd1164faf57186a4362cf9907538af2bdc6f786b482296a845"
    assert known != _digest(SweepRequest(SweepDocument("json", True, b"{}"), Options("n", 3, None, False, "x")))


async def test_a_page_goes_on_after_what_a_page_ended_with(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        ids = [await created(service, 1) for _ in range(3)]
        first, following = await service.sweep_page(ALICE, SweepQuery(limit=2))
        assert [one.id for one in first] == ids[:0:-1]
        assert [one.id for one in (await service.sweep_page(ALICE, SweepQuery(after=following)))[0]] == ids[:1]
        await submitted(service, driver, 3)
        page, following = await service.page(ALICE, Query(limit=2))
        assert len((await service.page(ALICE, Query(limit=2, after=following)))[0]) == 1
        for wrong in ("xx", ids[0], page[0].id.upper(), page[0].id + "0"):
            with pytest.raises(InvalidInput, match="of no page") as caught:
                await service.page(ALICE, Query(after=wrong))
            assert caught.value.element == "cursor"
        with pytest.raises(InvalidInput, match="of no page"):
            await service.sweep_page(ALICE, SweepQuery(after=page[0].id))


async def test_a_drained_service_makes_no_more_jobs_and_goes_on_afterwards(tmp_path: Path) -> None:
    boss = Caller("boss", roles=frozenset({Role.ADMINISTRATOR}))
    async with told_service(tmp_path, housekeeping=0.05) as (service, driver):
        id = await created(service, 6, window=2)
        await submitted(service, driver, 2)
        await service.drain(boss, "maintenance")
        with pytest.raises(Unavailable, match="maintenance"):
            await created(service, 3)
        await driver.end(*driver.submitted)
        await until(lambda: _open(service, id, 0))
        assert (await now(service, id)).made == 2
        await service.admit(boss)
        await submitted(service, driver, 4)


async def test_what_waits_for_a_drained_service_goes_on_at_once(tmp_path: Path) -> None:
    """Not when it would be looked after anyway."""
    boss = Caller("boss", roles=frozenset({Role.ADMINISTRATOR}))
    async with told_service(tmp_path, housekeeping=3600) as (service, driver):
        id = await created(service, 4, window=2)
        await submitted(service, driver, 2)
        await service.drain(boss, "maintenance")
        await driver.end(*driver.submitted)

        async def waits() -> bool:
            return "maintenance" in ((await now(service, id)).reason or "")

        await until(waits)
        await service.admit(boss)
        await submitted(service, driver, 4)


async def test_an_owner_s_limit_makes_a_sweep_wait(tmp_path: Path) -> None:
    async with told_service(tmp_path, housekeeping=0.05) as (service, driver):
        service._admission.limits = msgspec.structs.replace(service._admission.limits, unfinished=3)
        id = await created(service, 10, window=8)
        await submitted(service, driver, 3)
        for ended in (0, 3, 6, 9):
            assert (await now(service, id)).open <= 3
            await driver.end(*driver.submitted[ended : ended + 3])
            await submitted(service, driver, min(ended + 6, 10))
        assert (await service.sweep(ALICE, id, wait=LIMIT)).sweep.state is S.FINISHED
        assert len(set(driver.submitted)) == 10


async def test_a_sweep_larger_than_its_owner_s_limit_says_why_it_waits(tmp_path: Path) -> None:
    async with told_service(tmp_path, housekeeping=1000.0, limits=Limits(unfinished=4)) as (service, driver):
        others = [await create(service) for _ in range(2)]
        await submitted(service, driver, 2)
        made = await service.create_sweep(ALICE, SweepRequest(document(1_000_000, window=500)))
        assert "no more than 4 of its jobs" in made.notes[-1]
        id = made.sweep.id
        await submitted(service, driver, 4)
        await until(lambda: _reason(service, id))
        limited = await now(service, id)
        assert (limited.made, limited.state) == (2, S.RUNNING)
        assert "you have 4 activities that have not ended" in (limited.reason or "")
        (answer,) = await service.create(ALICE, [CreateRequest(Description(executable="/bin/true"))])
        assert isinstance(answer, LimitExceeded)
        # What ends elsewhere makes room as well, at once and not at the next round.
        await driver.end(*others)
        await submitted(service, driver, 6)
        for count in range(6, 14, 2):
            await driver.end(*driver.submitted[count - 2 : count])
            await submitted(service, driver, count + 2)
            assert (await now(service, id)).open <= 4
        assert [one.kind for one in await service.sweep_events(ALICE, id)] == ["created", "note", "waiting"]
        bobs = await created(service, 3, caller=BOB)
        await submitted(service, driver, 17)
        assert (await service.sweep(BOB, bobs)).sweep.reason is None
        await service.terminate_sweep(ALICE, id)
        assert (await now(service, id)).reason is None


async def test_the_reason_goes_once_there_is_room(tmp_path: Path) -> None:
    async with told_service(tmp_path, housekeeping=1000.0, limits=Limits(unfinished=2)) as (service, driver):
        others = [await create(service) for _ in range(2)]
        await submitted(service, driver, 2)
        id = await created(service, 2)
        await until(lambda: _reason(service, id))
        await driver.end(*others)
        await submitted(service, driver, 4)
        assert (await now(service, id)).reason is None


async def test_jobs_of_a_sweep_wait_for_the_share_that_one_user_may_have_so_much_of(tmp_path: Path) -> None:
    driver = ToldDriver()
    configs = {"told": SharesConfig(per_user=3)}
    async with routed_service(tmp_path, {"told": driver}, configs=configs, match_again=1000.0) as service:
        id = await created(service, 8, window=5)
        await submitted(service, driver, 3)
        waiting: list[Activity] = []

        async def both_wait() -> bool:
            waiting[:] = await children(service, id, "pending")
            return len(waiting) == 2

        await until(both_wait)
        assert all("3 unfinished activities of yours" in (one.reason or "") for one in waiting)
        await driver.end(driver.submitted[0])
        await submitted(service, driver, 4)


async def test_a_repeat_with_its_key_is_the_first_sweep(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        first = await service.create_sweep(ALICE, SweepRequest(document(3), key="k"))
        again = await service.create_sweep(ALICE, SweepRequest(document(3), key="k"))
        assert (again.sweep.id, again.existed) == (first.sweep.id, True)
        for other in (document(4), document(3, window=2)):
            with pytest.raises(Conflict, match="'k'"):
                await service.create_sweep(ALICE, SweepRequest(other, key="k"))
        with pytest.raises(Conflict):
            await service.create_sweep(ALICE, SweepRequest(document(3), Options(window=2), key="k"))
        theirs = await service.create_sweep(BOB, SweepRequest(document(3), key="k"))
        assert theirs.sweep.id != first.sweep.id
        await submitted(service, driver, 6)
        assert len(driver.submitted) == 6


async def test_every_language_has_sweeps(tmp_path: Path) -> None:
    script = b"#!/bin/sh\n#SBATCH --array=1-5%2\n#SBATCH -J arr\n#SBATCH --quiet\necho\n"
    async with told_service(tmp_path) as (service, driver):
        made = await service.create_sweep(ALICE, SweepRequest(SweepDocument("script", False, script)))
        assert (made.sweep.total, made.sweep.window, made.sweep.name) == (5, 2, "arr")
        assert "printed" in made.notes[0]
        assert [one.kind for one in await service.sweep_events(ALICE, made.sweep.id)] == ["created", "note"]
        await submitted(service, driver, 2)
        (first, _) = await children(service, made.sweep.id)
        assert first.parameters == {"SLURM_ARRAY_TASK_ID": 1, "index": 0}
        assert (await service.description(ALICE, first.id)).environment["SLURM_ARRAY_TASK_ID"] == "1"


async def test_purged_as_a_whole(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        driver.control = _ending(driver)
        id = await created(service, 30, window=10)
        other = await created(service, 2)
        await submitted(service, driver, 12)
        with pytest.raises(InvalidStateException, match="terminate it first"):
            await service.purge_sweep(ALICE, id)
        directories = [one.session for one in await children(service, id)]
        assert await service.purge_sweep(ALICE, id, terminate=True, wait=LIMIT)
        assert await children(service, id) == []
        with pytest.raises(NotFound):
            await service.sweep(ALICE, id)
        await until(lambda: not any(Path(one).exists() for one in directories), "the directories to go")
        assert len(await children(service, other)) == 2


async def test_it_expires_with_its_activities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with told_service(tmp_path, housekeeping=0.05) as (service, driver):
        id = await created(service, 3)
        await submitted(service, driver, 3)
        await driver.end(*driver.submitted)
        done = (await service.sweep(ALICE, id, wait=LIMIT)).sweep
        assert done.expires == pytest.approx(time.time() + service._policy.retention, abs=20)
        real = time.time
        monkeypatch.setattr(clock, "now", lambda: real() + 8 * 86_400)

        async def gone() -> bool:
            return (await service.sweep_page(ALICE, SweepQuery()))[0] == []

        await until(gone)


async def test_another_service_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await created(service, 20, window=5)
        held = await created(service, 3, held=True)
        await submitted(service, driver, 5)
        before = list(driver.submitted)
    async with told_service(tmp_path) as (service, driver):
        assert (await now(service, held)).state is S.HELD
        driver.submitted += before
        await driver.end(*before)
        await submitted(service, driver, 10)
        await service.release_sweep(ALICE, held)
        await submitted(service, driver, 13)
        await service.terminate_sweep(ALICE, id)
    async with told_service(tmp_path) as (service, driver):
        assert (await now(service, id)).state is S.TERMINATING
        # They are being ended without anybody asking again; the batch system says that they are.
        await until(lambda: _all_ending(service, id), "all to be ended")
        await driver.end(*[one.id for one in await children(service, id, "running")], exit_code=143)
        done = (await service.sweep(ALICE, id, wait=LIMIT)).sweep
        assert (done.state, done.finished) == (S.TERMINATED, 5)
        assert [one.parameters["index"] for one in await children(service, id)] == list(range(done.made))


async def _all_ending(service: ExecutionService, id: str) -> bool:
    states = (await service.sweep(ALICE, id)).states
    return set(states) <= {"running:terminating"}


async def test_what_happens_to_a_sweep_is_told_as_it_happens_until_it_is_over(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await created(service, 3)
        told: list[str] = []

        async def follow(after: int = 0) -> None:
            async for events in service.stream_sweep(ALICE, id, after=after):
                told.extend(f"{one.kind} {one.state}" for one in events)

        following = asyncio.create_task(follow())
        await until(lambda: told == ["created running"])
        await submitted(service, driver, 3)
        await service.terminate_sweep(ALICE, id)
        await until(lambda: len(told) == 2)
        await driver.end(*driver.submitted, exit_code=143)
        await asyncio.wait_for(following, LIMIT)
        assert told == ["created running", "state running:terminating", "state terminated"]
        first, *_ = await service.sweep_events(ALICE, id)
        told.clear()
        await follow(first.seq)
        assert told == ["state running:terminating", "state terminated"]
        assert service._sweeps.stories._followers == {}
        waits = asyncio.create_task(
            anext(service.stream_sweep(ALICE, await created(service, 3, held=True), after=1 << 40))
        )
        await until(lambda: service._sweeps.stories._followers)
    with pytest.raises(StopAsyncIteration):  # a service that stops ends its streams
        await asyncio.wait_for(waits, LIMIT)


# -- who may ----------------------------------------------------------------------------------------------


async def test_sweeps_of_others_are_not_there_and_operators_may_end_them(tmp_path: Path) -> None:
    calls = {
        Operation.SWEEP: lambda s, c, at: s.sweep(c, at),
        Operation.SWEEP_DOCUMENT: lambda s, c, at: s.sweep_document(c, at),
        Operation.SWEEP_EVENTS: lambda s, c, at: s.sweep_events(c, at),
        Operation.STREAM_SWEEP: lambda s, c, at: anext(s.stream_sweep(c, at)),
        Operation.HOLD_SWEEP: lambda s, c, at: s.hold_sweep(c, at),
        Operation.RELEASE_SWEEP: lambda s, c, at: s.release_sweep(c, at),
        Operation.TERMINATE_SWEEP: lambda s, c, at: s.terminate_sweep(c, at),
        Operation.PURGE_SWEEP: lambda s, c, at: s.purge_sweep(c, at, terminate=True),
    }
    operator = Caller("boss", roles=frozenset({Role.OPERATOR}))
    administrator = Caller("root", roles=frozenset({Role.ADMINISTRATOR}))
    async with told_service(tmp_path) as (service, driver):
        driver.control = _ending(driver)
        id = await created(service, 10, window=2)
        await submitted(service, driver, 2)
        assert (await service.sweep_page(BOB, SweepQuery(owner="alice")))[0] == []
        for operation, call in calls.items():
            with pytest.raises(NotFound) as foreign:
                await call(service, BOB, id)
            with pytest.raises(NotFound) as unknown:
                await call(service, BOB, "sweep-0")
            assert str(foreign.value).replace(id, "") == str(unknown.value).replace("sweep-0", ""), operation
            with pytest.raises(NotAllowed):
                await call(service, Caller("alice", scopes=frozenset()), id)
        with pytest.raises(NotAllowed):
            await created(service, caller=Caller("alice", scopes=frozenset({Scope.READ})))
        for call in (Operation.HOLD_SWEEP, Operation.PURGE_SWEEP, Operation.SWEEP_DOCUMENT):
            with pytest.raises(NotFound):
                await calls[call](service, operator, id)
        assert (await service.sweep(operator, id)).sweep.state is S.RUNNING
        assert (await service.terminate_sweep(operator, id)).state is S.TERMINATING
        done = (await service.sweep(ALICE, id, wait=LIMIT)).sweep
        assert (done.state, done.by) == (S.TERMINATED, "boss")
        assert await calls[Operation.PURGE_SWEEP](service, administrator, id)


# -- what comes next ----------------------------------------------------------------------------------------


def sweep(**fields: Any) -> Sweep:
    made = {"id": "s", "owner": "a", "state": S.RUNNING, "version": 1, "created": 0.0, "changed": 0.0, "total": 10}
    return Sweep(**made | fields)


STEPS: list[tuple[Sweep, object]] = [
    (sweep(), Expand(10)),
    (sweep(window=3), Expand(3)),
    (sweep(window=3, next=4, finished=2), Expand(1)),
    (sweep(window=3, next=3), Wait()),
    (sweep(window=3, next=8, finished=8), Expand(2)),
    (sweep(next=10, finished=9), Wait()),
    (sweep(next=10, finished=10), Become(S.FINISHED)),
    (
        sweep(next=10, finished=8, nonzero=3, failed=1, refused=1),
        Become(S.FINISHED, "of 10 jobs 1 failed, 3 ended with another exit code than 0, 1 could not be made"),
    ),
    (sweep(next=5, failed=2, stop_after=2), Become(S.TERMINATING, "2 of its jobs failed; it was to stop after 2")),
    (sweep(next=5, finished=5, nonzero=1, stop_after=2), Expand(5)),
    (sweep(state=S.HELD), Wait()),
    (
        sweep(state=S.HELD, next=5, failed=1, stop_after=1),
        Become(S.TERMINATING, "1 of its jobs failed; it was to stop after 1"),
    ),
    (sweep(state=S.TERMINATING, next=5, finished=4), EndActivities()),
    (sweep(state=S.TERMINATING, next=5, finished=5, by="bob"), Become(S.TERMINATED)),
    (sweep(state=S.TERMINATING, next=5, failed=5, reason="why"), Become(S.FAILED, "why")),
    (sweep(state=S.TERMINATING, next=5, purging=True, by="bob"), EndActivities()),
    (sweep(state=S.FINISHED, next=10, finished=10), Wait()),
    (sweep(state=S.FINISHED, next=10, finished=10, purging=True), Remove()),
]


@pytest.mark.parametrize(("of", "expected"), STEPS)
def test_the_next_step(of: Sweep, expected: object) -> None:
    step = next_step(of)
    assert type(step) is type(expected)
    if isinstance(step, Expand | Become):
        assert step == expected


def test_states_have_the_words_of_activities() -> None:
    words = {state.value for state in ActivityState} | {"running"}
    assert {state.value for state in SweepState} <= words
