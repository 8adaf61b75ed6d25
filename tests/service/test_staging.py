"""What an activity sees of its files being moved: fetched before its job, delivered after it."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argosy.languages.native import Input, Output
from argosy.model import ActivityState, InvalidInput, NotAllowed
from argosy.outbound import OutboundPolicy
from argosy.service.contract import CreateRequest
from argosy.service.files.transfers import FindCredentials
from argosy.service.service import ExecutionService
from argosy.staging import Credentials, Fetch, Fetched, Push, Pushed, Staging, StagingConfig, TransferFailed
from argosy.staging.errors import Fault
from argosy.store import Activity, Event
from tests.service.driving import ALICE, BOB, ToldDriver, create, record, told_service, until
from tests.service.place import Place, running

pytestmark = pytest.mark.anyio
S = ActivityState
DATA = bytes(range(256)) * 1024


@pytest.fixture
def place() -> Iterator[Place]:
    with running() as one:
        yield one


def staging(directory: Path, **config: Any) -> Staging:
    fast = {"retry_first": 0.01, "retry_most": 0.05, "attempts": 2, "cache_size": 0} | config
    return Staging(StagingConfig(**fast), OutboundPolicy(["127.0.0.0/8"]), str(directory / "staging"))


async def state(service: ExecutionService, id: str, wanted: S) -> Activity:
    async def reached() -> bool:
        now = (await record(service, id)).state
        assert now is wanted or not now.final, await history(service, id)
        return now is wanted

    await until(reached)
    return await record(service, id)


async def history(service: ExecutionService, id: str) -> list[Event]:
    return await service.events(ALICE, id)


async def told(service: ExecutionService, id: str, kind: str) -> list[Event]:
    return [event for event in await history(service, id) if event.kind == kind]


def session(service: ExecutionService, activity: Activity) -> Path:
    return Path(activity.session)


async def test_all_that_has_sources_is_fetched_while_the_client_still_pushes(tmp_path: Path, place: Place) -> None:
    place.files = {"/a": DATA, "/b": b"b"}
    place.answers["/gone"] = 404
    inputs = [
        Input(path="a", sources=[place.url + "/a"], size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest()),
        Input(
            path="in/b",
            sources=[place.url + "/gone", place.url + "/b"],
            executable=True,
            md5=hashlib.md5(b"b").hexdigest(),
            adler32=f"{zlib.adler32(b'b'):08x}",
        ),
        Input(path="pushed", adler32=f"{zlib.adler32(b'p'):08x}"),
        Input(path="inline", content="i"),
    ]
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        id = await create(service, inputs=inputs)

        async def both() -> bool:
            return len(await told(service, id, "fetched")) == 2

        await until(both)
        assert (await record(service, id)).state is S.STAGING_IN
        assert not driver.submitted

        async def content(data: bytes) -> Any:
            yield data

        with pytest.raises(InvalidInput, match="Adler-32"):
            await service.put_file(ALICE, id, "pushed", content(b"x"))
        await service.put_file(ALICE, id, "pushed", content(b"p"))
        activity = await state(service, id, S.SUBMITTED)
        where = session(service, activity)
        assert (where / "a").read_bytes() == DATA
        assert (where / "in/b").read_bytes() == b"b"
        assert (where / "in/b").stat().st_mode & 0o700 == 0o700
        by_path = {event.detail["path"]: event.detail for event in await told(service, id, "fetched")}
        assert by_path["a"]["size"] == len(DATA)
        assert by_path["a"]["source"] == place.url + "/a"
        (tried,) = by_path["in/b"]["tried"]
        assert tried["source"] == place.url + "/gone"
        assert "404" in tried["error"]


@pytest.mark.parametrize(
    ("fields", "element", "kind"),
    [
        ({"inputs": [Input(path="x", sources=["nosuch://h/x"])]}, "inputs[0].sources[0]", InvalidInput),
        ({"inputs": [Input(path="x", sources=["http://169.254.169.254/x"])]}, "inputs[0].sources[0]", NotAllowed),
        ({"inputs": [Input(path="*.x", sources=["http://127.0.0.1/x"])]}, "inputs[0].path", InvalidInput),
        ({"inputs": [Input(path="x", creation="append")]}, "inputs[0].creation", InvalidInput),
        (
            {"outputs": [Output(path="x", targets=["https://h.example/", "data:,x"])]},
            "outputs[0].targets[1]",
            InvalidInput,
        ),
    ],
)
async def test_what_can_never_be_moved_is_refused_at_creation(
    tmp_path: Path, fields: dict[str, Any], element: str, kind: type[Exception]
) -> None:
    from argosy.languages.native import Description

    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, _):
        (answer,) = await service.create(ALICE, [CreateRequest(Description(executable="x", **fields))])
        assert isinstance(answer, kind)
        assert answer.element == element


def misbehave(place: Place, how: str) -> dict[str, Any]:
    place.files["/f"] = DATA
    match how:
        case "missing":
            place.answers["/f"] = 404
        case "forbidden":
            place.answers["/f"] = 403
        case "truncated":
            place.short.add("/f")
        case "checksum":
            return {"sha256": "0" * 64}
        case "size":
            return {"size": 7}
        case "loop":
            place.answers["/f"] = 302
            place.headers["/f"] = {"Location": "/f"}
        case "busy":
            place.answers["/f"] = 503
        case "elsewhere":
            place.answers["/f"] = 302
            place.headers["/f"] = {"Location": "http://169.254.169.254/latest"}
    return {}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "404"),
        ("forbidden", "403"),
        ("truncated", ""),
        ("checksum", "sha256"),
        ("size", "7 "),
        ("loop", "circle"),
        ("busy", "503"),
        ("elsewhere", "169.254.169.254"),
    ],
)
async def test_a_failed_stage_in_is_told_and_can_be_restarted(
    tmp_path: Path, place: Place, how: str, words: str
) -> None:
    declared = misbehave(place, how)
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        id = await create(service, inputs=[Input(path="f", sources=[place.url + "/f"], **declared)])
        failed = await state(service, id, S.FAILED)
        assert failed.reason is not None
        assert words.lower() in failed.reason.lower()
        assert failed.reason.startswith("f: ")
        assert not [path for path in session(service, failed).iterdir() if not path.name.startswith(".argosy-")]
        assert failed.failed_in is S.STAGING_IN
        assert not driver.submitted
        place.answers.clear()
        place.headers.clear()
        place.short.clear()
        (again,) = await service.restart(ALICE, [id])
        assert isinstance(again, Activity)
        if declared:
            await state(service, id, S.FAILED)
        else:
            await state(service, id, S.SUBMITTED)
            assert (session(service, failed) / "f").read_bytes() == DATA


async def run_to_its_end(service: ExecutionService, driver: ToldDriver, id: str, **files: bytes) -> None:
    activity = await state(service, id, S.SUBMITTED)
    for name, data in files.items():
        (session(service, activity) / name).write_bytes(data)
    await driver.end(id, exit_code=3)


async def test_output_goes_to_all_its_targets(tmp_path: Path, place: Place) -> None:
    outputs = [
        Output(path="o", targets=[place.url + "/1/o", place.url + "/2/o"]),
        Output(path="r*.dat", targets=[place.url + "/many/"]),
        Output(path="none", targets=[place.url + "/none"], optional=True),
        Output(path="kept"),
        Output(path="gone", delete_on_termination=True),
    ]
    inputs = [Input(path="i", content="i", delete_on_termination=True)]
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        id = await create(service, inputs=inputs, outputs=outputs)
        await run_to_its_end(service, driver, id, o=DATA, kept=b"k", gone=b"g", **{"r1.dat": b"1", "r2.dat": b"2"})
        done = await state(service, id, S.FINISHED)
        assert done.exit_code == 3
        assert place.files == {"/1/o": DATA, "/2/o": DATA, "/many/r1.dat": b"1", "/many/r2.dat": b"2"}
        there = sorted(path.name for path in session(service, done).iterdir() if not path.name.startswith("."))
        assert there == ["kept", "o", "r1.dat", "r2.dat"]
        pushed = {event.detail["target"]: event.detail for event in await told(service, id, "pushed")}
        assert pushed[place.url + "/2/o"]["size"] == len(DATA)
        assert pushed[place.url + "/many/"]["files"] == 2


async def test_a_failed_stage_out_keeps_the_output_and_goes_on_from_there(tmp_path: Path, place: Place) -> None:
    place.answers["/bad"] = 403
    outputs = [Output(path="o", targets=[place.url + "/good", place.url + "/bad"])]
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        id = await create(service, outputs=outputs)
        await run_to_its_end(service, driver, id, o=DATA)
        failed = await state(service, id, S.FAILED)
        assert failed.reason is not None
        assert "403" in failed.reason
        assert (failed.failed_in, failed.exit_code) == (S.STAGING_OUT, 3)
        assert (session(service, failed) / "o").read_bytes() == DATA
        place.answers.clear()
        await service.restart(ALICE, [id])
        done = await state(service, id, S.FINISHED)
        assert done.exit_code == 3
        assert place.files == {"/good": DATA, "/bad": DATA}
        assert place.count("PUT", "/good") == 1
        assert driver.submitted == [id]


async def test_missing_output_is_told_beside_what_was_delivered(tmp_path: Path, place: Place) -> None:
    outputs = [
        Output(path="o", targets=[place.url + "/o"]),
        Output(path="x/*", targets=[place.url + "/x/"]),
        Output(path="y"),
    ]
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        id = await create(service, outputs=outputs)
        await run_to_its_end(service, driver, id, o=DATA)
        failed = await state(service, id, S.FAILED)
        assert "x/*" in (failed.reason or "")
        assert "y" in (failed.reason or "")
        assert place.files == {"/o": DATA}


@pytest.mark.parametrize("stage", ["in", "out"])
async def test_terminating_stops_what_is_moved_at_once(tmp_path: Path, place: Place, stage: str) -> None:
    place.files["/slow"] = DATA
    place.slow.add("/slow")
    fields: dict[str, Any] = (
        {"inputs": [Input(path="f", sources=[place.url + "/slow"])]}
        if stage == "in"
        else {"outputs": [Output(path="o", targets=[place.url + "/slow"])]}
    )
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        id = await create(service, **fields)
        if stage == "out":
            place.files.clear()
            await run_to_its_end(service, driver, id, o=DATA)
        await until(place.begun.is_set)
        transfers = await service.transfers(ALICE, id)
        assert [(one.path, one.ended) for one in transfers] == [("f" if stage == "in" else "o", None)]
        (asked,) = await service.terminate(ALICE, [id])
        assert isinstance(asked, Activity)
        assert asked.state is S.TERMINATING
        (second,) = await service.terminate(ALICE, [id])
        assert isinstance(second, Activity)
        done = await state(service, id, S.TERMINATED)
        assert [event.state for event in await history(service, id)].count(S.TERMINATING) == 1
        assert not (session(service, done) / "f").exists()
        assert await service.transfers(ALICE, id) == []


class Mover:
    """Staging whose every answer is told; counts what was asked."""

    def __init__(self) -> None:
        self.failure: TransferFailed | None = None
        self.asked: list[Fetch | Push] = []

    def check(self, *args: object, **more: object) -> None:
        pass

    def capabilities(self) -> list[object]:
        return []

    async def fetch(self, request: Fetch, progress: Any = None) -> Fetched:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        Path(request.directory, request.path).write_bytes(b"x")
        return Fetched(request.sources[0], 1, 0.1)

    async def push(self, request: Push, progress: Any = None) -> list[Pushed]:
        self.asked.append(request)
        words = None if self.failure is None else self.failure.message
        fault = None if self.failure is None else self.failure.fault.value
        return [Pushed(url, 1, 1, 0.1, error=words, fault=fault) for url in request.targets]

    async def close(self) -> None:
        pass


async def test_any_driver_hears_that_there_are_other_credentials(tmp_path: Path) -> None:
    class Waking(ToldDriver):
        woken = 0

        def wake(self) -> None:
            self.woken += 1

    driver = Waking()
    async with told_service(tmp_path, driver=driver) as (service, _):
        service.credentials_renewed(ALICE.name)
        assert driver.woken == 1


BOTH: dict[str, Any] = {
    "inputs": [Input(path="f", sources=["x://f"])],
    "outputs": [Output(path="f", targets=["x://o"])],
}


@pytest.mark.parametrize("stage", ["in", "out"])
async def test_an_expired_credential_holds_it_until_there_is_another(tmp_path: Path, stage: str) -> None:
    mover = Mover()
    used = iter([None, None, Credentials(token="secret-1"), Credentials(token="secret-2")])

    class Each(FindCredentials):
        async def __call__(self, activity: Activity, description: object) -> Credentials | None:
            assert activity.owner == "alice"
            return next(used)

    async with told_service(tmp_path, staging=mover, credentials=Each()) as (service, driver):
        failure = TransferFailed("the proxy expired at noon", Fault.CREDENTIAL)
        if stage == "in":
            mover.failure = failure
        id = await create(service, **BOTH)
        if stage == "out":
            await state(service, id, S.SUBMITTED)
            mover.failure = failure
            await driver.end(id)

        async def held() -> bool:
            return (await record(service, id)).waiting_for == "credential"

        await until(held)
        found = await record(service, id)
        assert found.state is (S.STAGING_IN if stage == "in" else S.STAGING_OUT)
        assert "expired at noon" in (found.reason or "")
        asked = len(mover.asked)
        service.credentials_renewed(BOB.name)
        mover.failure = None
        service.credentials_renewed(ALICE.name)
        now = await state(service, id, S.SUBMITTED if stage == "in" else S.FINISHED)
        assert now.waiting_for is None
        assert len(mover.asked) == asked + 1
        assert [event.kind for event in await history(service, id)].count("held") == 1
        assert "secret" not in repr(await history(service, id)) + repr(mover.asked)


@pytest.mark.parametrize("stage", ["in", "out"])
async def test_a_full_disk_is_told_and_waited_for_within_a_bound(tmp_path: Path, stage: str) -> None:
    mover = Mover()
    full = TransferFailed("no space left on device", Fault.FULL)
    async with told_service(tmp_path, staging=mover) as (service, driver):
        waits, fails = await create(service, **BOTH), await create(service, **BOTH)
        if stage == "out":
            for id in (waits, fails):
                await state(service, id, S.SUBMITTED)
            mover.failure = full
            await driver.end(waits)
        elif stage == "in":
            for id in (waits, fails):
                await state(service, id, S.SUBMITTED)
            mover.failure = full
            waits = await create(service, **BOTH)

        async def is_told() -> bool:
            return "no space left" in ((await record(service, waits)).reason or "")

        await until(is_told)
        assert not (await record(service, waits)).state.final
        mover.failure = None
        await state(service, waits, S.SUBMITTED if stage == "in" else S.FINISHED)
        # The bound comes now: it must not be reached before on a machine that is slow.
        service._performer.stages._policy = replace(service.policy, space_wait=0.05)
        mover.failure = full
        if stage == "out":
            await driver.end(fails)
        else:
            fails = await create(service, **BOTH)
        failed = await state(service, fails, S.FAILED)
        assert "no space left" in (failed.reason or "")
        assert len([event for event in await history(service, fails) if event.kind == "unavailable"]) == 1


async def test_a_service_that_stops_leaves_nothing_half(tmp_path: Path, place: Place) -> None:
    place.files["/slow"] = DATA
    place.slow.add("/slow")
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, _):
        id = await create(service, inputs=[Input(path="f", sources=[place.url + "/slow"])])
        await until(place.begun.is_set)
    place.go.set()
    place.slow.clear()
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, driver):
        activity = await state(service, id, S.SUBMITTED)
        assert (session(service, activity) / "f").read_bytes() == DATA
        assert driver.submitted == [id]


async def test_many_files_are_moved_at_once_and_the_first_hard_failure_stops_the_others(
    tmp_path: Path, place: Place
) -> None:
    place.files |= {f"/{number}": b"x" for number in range(40)} | {"/slow": DATA}
    place.slow.add("/slow")
    inputs = [Input(path=f"d/{number}", sources=[f"{place.url}/{number}"]) for number in range(40)]
    inputs += [Input(path="s", sources=[place.url + "/slow"]), Input(path="m", sources=[place.url + "/missing"])]
    async with told_service(tmp_path, staging=staging(tmp_path)) as (service, _):
        id = await create(service, inputs=inputs)
        failed = await state(service, id, S.FAILED)
        assert "404" in (failed.reason or "")
        assert not (session(service, failed) / "s").exists()
        await asyncio.sleep(0)
