"""What goes wrong inside the service, or comes at the wrong moment, concerns one activity, and never for good."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from argosy.batch import Control
from argosy.delegation.keeper import Expired
from argosy.executors.contract import Handle, JobRequest, Report
from argosy.languages.native import Description, Input, Output
from argosy.model import (
    ActivityDescription,
    ActivityState,
    ArgosyError,
    Conflict,
    InvalidStateException,
    NotFound,
    Outcome,
    Phase,
    SubmitException,
    Unavailable,
)
from argosy.service.contract import CreateRequest
from argosy.service.engine import engine as engine_module
from argosy.service.engine import performer as performer_module
from argosy.service.engine.engine import Engine, Live
from argosy.service.lifecycle import Begun, Instruction, Needs
from argosy.service.policy import ServicePolicy
from argosy.service.service import ExecutionService
from argosy.store import Activity, Change
from tests.service.driving import ALICE, BOB, ToldDriver, create, record, told_service, until
from tests.waiting import LIMIT

pytestmark = pytest.mark.anyio

S = ActivityState


async def state_is(service: object, id: str, state: S) -> bool:
    return (await record(service, id)).state is state


async def test_what_is_terminated_while_it_is_being_submitted_is_not_submitted_after(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service, held=True)
        entered, go_on = threading.Event(), threading.Event()
        make = service._sessions.make

        def slow(ids: list[str]) -> None:
            entered.set()
            assert go_on.wait(LIMIT)
            make(ids)

        service._sessions.make = slow
        await service.start(ALICE, [id])
        await until(entered.is_set)
        await service.terminate(ALICE, [id])
        await asyncio.sleep(0)
        go_on.set()
        await until(lambda: state_is(service, id, S.TERMINATED))
        assert driver.submitted == []


async def test_a_disk_that_is_full_at_creation_leaves_nothing_lying(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        make, failures = service._sessions.make, 2

        def full(ids: list[str]) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError(28, "No space left on device", "sessions")
            make(ids)

        service._sessions.make = full
        id = await create(service)
        await until(lambda: driver.submitted == [id])
        events = await service.events(ALICE, id)
        assert any("No space left" in (event.message or "") for event in events), events
        assert not any("internal" in (event.message or "") for event in events)


async def test_a_batch_system_that_is_slow_to_clear_up_keeps_nobody(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        released = asyncio.Event()
        driver.settling = released.wait
        first, second = await create(service), await create(service)
        await until(lambda: set(driver.submitted) == {first, second})
        async with asyncio.timeout(LIMIT):
            await driver.end(first)
            await driver.end(second)
        assert (await record(service, second)).state is S.FINISHED
        released.set()


async def test_a_defect_in_deciding_about_one_keeps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with told_service(tmp_path) as (service, driver):
        bad, good = await create(service), await create(service)
        await until(lambda: set(driver.submitted) == {bad, good})
        decide = engine_module.decide

        def broken(activity: Activity, *more: object) -> object:
            if activity.id == bad and type(more[0]).__name__ == "TerminateAsked":
                raise AssertionError("a defect")
            return decide(activity, *more)

        monkeypatch.setattr(engine_module, "decide", broken)
        async with asyncio.timeout(LIMIT):
            await service.terminate(ALICE, [bad])
            await driver.end(good)
            await driver.end(bad)
        assert (await record(service, good)).state is S.FINISHED
        assert (await record(service, bad)).state is S.FINISHED


async def test_an_old_trouble_that_is_over_does_not_count_later(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, inputs=[Input(path="in")], held=True)
        missing, failed = service._sessions.missing, threading.Event()

        def once(session: str, paths: list[str], *, patterns: bool) -> list[str]:
            if not failed.is_set():
                failed.set()
                raise OSError(5, "Input/output error", session)
            return missing(session, paths, patterns=patterns)

        service._sessions.missing = once
        await service.start(ALICE, [id])
        await until(failed.is_set)
        live = service._engine.get(id)
        await until(lambda: live.trying_since is None, "the trouble to be forgotten")
        assert live.tries == 0


async def test_an_activity_taken_up_anew_is_kept_when_the_old_hand_lets_go() -> None:
    async def nothing(*_: object) -> None:
        return None

    engine = Engine(None, ServicePolicy(), lambda *_: None, nothing, lambda _: None)
    old = Activity("a", "alice", S.HELD, 1, 0.0, 0.0)
    before = engine.adopt(old, Needs(inputs=False, outputs=False))
    after = engine.adopt(old.but(version=2), Needs(inputs=False, outputs=False))
    engine._lost(engine_module._Draft(before, old, [], [], []), engine_module.Conflict("another version"))
    assert engine.get("a") is after
    assert isinstance(after, Live)


async def test_a_file_that_arrives_too_late_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, inputs=[Input(path="in")])
        await until(lambda: state_is(service, id, S.STAGING_IN))
        session = (await record(service, id)).session

        async def content() -> AsyncIterator[bytes]:
            yield b"first"
            await service.terminate(ALICE, [id])
            yield b"second"

        with pytest.raises(InvalidStateException):
            await service.put_file(ALICE, id, "in", content())
        assert os.listdir(session) == []


async def test_an_upload_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, inputs=[Input(path="in")])
        session = (await record(service, id)).session
        half, never = asyncio.Event(), asyncio.Event()

        async def content() -> AsyncIterator[bytes]:
            yield b"x" * 100_000
            half.set()
            await never.wait()

        putting = asyncio.create_task(service.put_file(ALICE, id, "in", content()))
        await half.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert os.listdir(session) == []


async def test_a_job_that_replaced_its_directory_keeps_nobody(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        bad, good = [await create(service, outputs=[Output(path="out")]) for _ in range(2)]
        await until(lambda: set(driver.submitted) == {bad, good})
        session = Path((await record(service, bad)).session)
        shutil.rmtree(session)
        session.write_text("a file now")
        (Path((await record(service, good)).session) / "out").write_text("result")
        await driver.end(bad, good)
        await until(lambda: state_is(service, good, S.FINISHED))
        await until(lambda: state_is(service, bad, S.FAILED))
        assert "left no out" in (await record(service, bad)).reason
        with pytest.raises(NotFound):
            await service.list_files(ALICE, bad, ".")


async def test_purging_with_termination_does_not_wait_for_what_is_not_ones_own(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        other = await create(service, caller=BOB, held=True)
        async with asyncio.timeout(LIMIT):
            (answer,) = await service.purge(ALICE, [other], terminate=True)
        assert isinstance(answer, NotFound)


async def test_following_ends_where_the_end_was_purged_before_it_was_read(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, held=True)
        read = service._store.events
        purged = asyncio.Event()

        async def late(*asked: object, **more: object) -> object:
            if service._engine.get(id) is None:
                await purged.wait()
            return await read(*asked, **more)

        service._store.events = late
        waiting = asyncio.create_task(service._streams.until_final("alice", [id]))
        await until(lambda: service._streams._followers)
        await service.terminate(ALICE, [id])
        await service._housekeeping.purge([await record(service, id)])
        purged.set()
        async with asyncio.timeout(LIMIT):
            await waiting


async def test_what_many_left_behind_is_forgotten_in_one_request(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        ids = [await create(service) for _ in range(5)]
        await until(lambda: len(driver.submitted) == 5)
        await driver.end(*ids)
        assert await service.purge(ALICE, ids) == [None] * 5
        await until(lambda: driver.forgotten)
        assert [sorted(tags) for tags in driver.forgotten] == [sorted(ids)]
        await until(lambda: not any(Path(tmp_path / "sessions").glob("*/*")))


async def test_a_description_that_cannot_be_read_keeps_nobody(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        bad, good = await create(service, held=True), await create(service, held=True)
    with sqlite3.connect(tmp_path / "argosy.db") as db:
        db.execute(
            "UPDATE description SET body = x'7b7d' WHERE activity = (SELECT pk FROM activity WHERE id = ?)", (bad,)
        )
    db.close()
    async with told_service(tmp_path) as (service, driver):
        for id in (bad, good):
            service._engine.post(id, Begun())  # together
        await until(lambda: driver.submitted == [good])
        await until(lambda: reason_says(service, bad, f"the description of {bad} cannot be read"))
        await service.terminate(ALICE, [bad])
        assert (await record(service, bad)).state is S.TERMINATED


async def reason_says(service: object, id: str, words: str) -> bool:
    return words in ((await record(service, id)).reason or "")


async def two(service: ExecutionService) -> tuple[str, str]:
    """Two activities that are made, and so submitted, together: one with the name "bad", and a good one."""
    asked = [CreateRequest(Description(executable="/bin/true", name=name)) for name in ("bad", "good")]
    bad, good = await service.create(ALICE, asked)
    return bad.activity.id, good.activity.id


@pytest.mark.parametrize("what", ["description", "directory", "credential"])
async def test_one_that_cannot_be_made_ready_is_submitted_without_keeping_the_others(tmp_path: Path, what: str) -> None:
    async with told_service(tmp_path, retry_first=1e6) as (service, driver):
        describe, make, offer = service._performer.description, service._sessions.make, service._offering.prepare

        async def description(live: Live) -> ActivityDescription:
            if what == "description" and live.record.name == "bad":
                raise Unavailable("not now")
            return await describe(live)

        def made(sessions: Sequence[str]) -> None:
            if what == "directory" and any(
                service._engine.get(Path(one).name).record.name == "bad" for one in sessions
            ):
                raise OSError(5, "not now", "sessions")
            make(sessions)

        async def offered(record: Activity, description: ActivityDescription) -> dict[str, str]:
            if what == "credential" and record.name == "bad":
                raise OSError(5, "not now", "copies")
            return await offer(record, description)

        service._performer.description = description
        service._sessions.make = made
        service._offering.prepare = offered
        bad, good = await two(service)
        await until(lambda: driver.submitted == [good])
        await until(lambda: reason_says(service, bad, "not now"))
        assert not any("not now" in (event.message or "") for event in await service.events(ALICE, good))


async def test_one_without_its_credential_is_ended_while_others_are_being_submitted(tmp_path: Path) -> None:
    class Slow(ToldDriver):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.go_on = asyncio.Event(), asyncio.Event()

        async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
            self.asked.set()
            await self.go_on.wait()
            return await super().submit(requests)

    driver = Slow()
    async with told_service(tmp_path, driver=driver) as (service, _):
        offer = service._offering.prepare

        async def offered(record: Activity, description: ActivityDescription) -> dict[str, str]:
            if record.name == "bad":
                raise Expired("the proxy has expired")
            return await offer(record, description)

        service._offering.prepare = offered
        without, other = await two(service)
        await driver.asked.wait()
        await service.terminate(ALICE, [without])
        driver.go_on.set()
        await until(lambda: state_is(service, without, S.TERMINATED))
        assert driver.submitted == [other]


async def test_a_cancel_without_effect_is_told_and_tried_anew_when_it_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(ToldDriver):
        cancelled = 0

        async def control(self, verb: Control, handles: Sequence[Handle]) -> list[ArgosyError | None]:
            self.cancelled += 1
            return [None for _ in handles]

    monkeypatch.setattr(performer_module, "CANCEL_AGAIN", 0.01)
    driver = Deaf()
    async with told_service(tmp_path, driver=driver, give_up_after=0.05) as (service, _):
        id = await create(service)
        await until(lambda: driver.submitted == [id])
        for times in (1, 2):
            before = driver.cancelled
            await service.terminate(ALICE, [id])
            await until(lambda: reason_says(service, id, "has not ended"))
            events = await service.events(ALICE, id)
            assert [event.state for event in events if event.kind == "unavailable"] == [S.TERMINATING] * times
            assert driver.cancelled > before
        await driver.end(id)
        assert (await record(service, id)).state is S.TERMINATED


class Odd(ToldDriver):
    """Its words, and the names of its hosts, are no Unicode."""

    async def submit(self, requests: Sequence[JobRequest]) -> list[str | ArgosyError]:
        accepted = await super().submit(requests)
        named = [request.spec.name for request in requests]
        return [
            SubmitException("d\udce9pass\udce9 \ud800") if name == "bad" else id
            for name, id in zip(named, accepted, strict=True)
        ]


async def test_words_that_are_no_unicode_are_told_all_the_same(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Odd()) as (service, driver):
        bad, good = await two(service)
        await until(lambda: state_is(service, bad, S.FAILED))
        assert (await record(service, bad)).reason == r"d\xe9pass\xe9 \ud800"
        now = time.time()
        begun = Report(good, good, Phase.RUNNING, now, hosts=("n\udce9",))
        failed = Report(good, good, Phase.ENDED, now, outcome=Outcome.NODE_FAILURE, message="panne d\udce9")
        await driver.on_reports([begun])
        await driver.on_reports([failed])
        ended = await record(service, good)
        assert (ended.state, ended.reason, ended.hosts) == (S.FAILED, r"panne d\xe9", (r"n\xe9",))
        details = [event.detail for event in await service.events(ALICE, good) if event.state is S.LRMS_RUNNING]
        assert details == [{"hosts": [r"n\xe9"]}]


async def test_a_database_that_cannot_be_used_for_a_while_loses_nothing(tmp_path: Path) -> None:
    broken = False

    def fault(point: str) -> None:
        if broken and point == "before-commit":
            raise sqlite3.DatabaseError("database disk image is malformed")

    async with told_service(tmp_path, store_fault=fault) as (service, driver):
        ids = await two(service)
        await until(lambda: set(driver.submitted) == set(ids))
        await until(lambda: state_is(service, ids[1], S.SUBMITTED))
        broken = True
        ending = asyncio.create_task(driver.end(*ids))
        await until(lambda: service.unready == ["store"])
        assert not ending.done()
        broken = False
        await asyncio.wait_for(ending, LIMIT)
        assert [one.state for one in await service.status(ALICE, ids)] == [S.FINISHED, S.FINISHED]
        assert service.unready == []


@pytest.mark.parametrize("read", [None, Unavailable("not now"), RuntimeError("a defect")])
async def test_changes_go_on_being_recorded_whatever_the_store_raises(tmp_path: Path, read: Exception | None) -> None:
    async with told_service(tmp_path, housekeeping=0.02) as (service, driver):
        bad, good = await two(service)
        await until(lambda: state_is(service, good, S.SUBMITTED))
        change, get, failed = service._store.change, service._store.get, []

        async def changed(changes: Sequence[Change]) -> list[Activity | Conflict]:
            if any(one.activity.id == bad for one in changes) and len(failed) < 2:
                failed.append(len(changes))
                raise RuntimeError("a defect in the store")
            return await change(changes)

        async def got(ids: Sequence[str]) -> dict[str, Activity]:
            nonlocal read
            if read is not None and failed:
                error, read = read, None
                raise error
            return await get(ids)

        service._store.change, service._store.get = changed, got
        async with asyncio.timeout(LIMIT):
            await driver.end(bad, good)
        assert failed == [2, 1]
        assert (await record(service, good)).state is S.FINISHED
        await until(lambda: bad in driver.watched, "it to be taken up again")
        await driver.end(bad)
        await until(lambda: state_is(service, bad, S.FINISHED))


async def test_a_defect_in_going_on_with_one_keeps_nobody(tmp_path: Path) -> None:
    async with told_service(tmp_path, housekeeping=0.02) as (service, driver):
        bad, good = await two(service)
        await until(lambda: state_is(service, good, S.SUBMITTED))
        perform, failed = service._engine.perform, []

        def broken(instruction: Instruction, live: Live) -> None:
            if live.record.id == bad and not failed:
                failed.append(instruction)
                raise RuntimeError("a defect")
            perform(instruction, live)

        service._engine.perform = broken
        async with asyncio.timeout(LIMIT):
            await service.terminate(ALICE, [bad, good])
        assert failed == [Instruction.CANCEL]
        await until(lambda: service._engine.get(bad) is not None, "it to be taken up again")
        await driver.end(bad, good)
        for id in (bad, good):
            assert (await record(service, id)).state is S.TERMINATED
