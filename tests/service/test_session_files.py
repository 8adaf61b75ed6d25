"""Session directories as their users have them: when they may write, how much, and what a large directory costs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from argosy.client import Client
from argosy.languages.native import Description, Input
from argosy.model import ActivityState, Conflict, InvalidInput, InvalidStateException, NoRoom, NotFound
from argosy.outbound import OutboundPolicy
from argosy.service.contract import CreateRequest
from argosy.service.files.sessions import Sessions
from argosy.service.files.weighing import size_below
from argosy.staging import Staging, StagingConfig
from tests.service.driving import ALICE, create, record, told_service, until
from tests.service.place import running
from tests.service.running import RunningService
from tests.service.running import until as until_true
from tests.waiting import LIMIT

S = ActivityState


async def content(data: bytes = b"x") -> AsyncIterator[bytes]:
    yield data


@pytest.mark.anyio
async def test_files_come_in_while_it_runs_only_where_it_is_interactive(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        plain, interactive = await create(service), await create(service, interactive=True)
        await until(lambda: len(driver.submitted) == 2)
        for id in (plain, interactive):
            await until(lambda of=id: _submitted(service, of))
        with pytest.raises(InvalidStateException, match="interactive"):
            await service.put_file(ALICE, plain, "a", content())
        await service.put_file(ALICE, interactive, "a/b", content())
        await service.delete_file(ALICE, interactive, "a/b")
        await driver.end(interactive)
        with pytest.raises(InvalidStateException):
            await service.put_file(ALICE, interactive, "a", content())


async def _submitted(service: Any, id: str) -> bool:
    return (await record(service, id)).state is S.SUBMITTED


@pytest.mark.anyio
async def test_what_failed_can_be_mended_before_it_is_restarted(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        id = await create(service, tags={"a": "b"})
        await until(lambda: _submitted(service, id))
        from argosy.executors.contract import Report
        from argosy.model import Outcome, Phase

        await driver.on_reports([Report(id, id, Phase.ENDED, time.time(), outcome=Outcome.OUT_OF_MEMORY)])
        assert (await record(service, id)).state is S.FAILED
        await service.put_file(ALICE, id, "smaller.in", content())
        await service.restart(ALICE, [id])
        await until(lambda: f"{id}-2" in driver.submitted)


@pytest.mark.anyio
async def test_a_file_that_must_not_be_replaced_is_not(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, held=True, inputs=[Input(path="i", creation="refuse")])
        await service.put_file(ALICE, id, "i", content(b"first"))
        with pytest.raises(Conflict):
            await service.put_file(ALICE, id, "i", content(b"second"))
        session = Path((await record(service, id)).session)
        assert [path.name for path in session.iterdir()] == ["i"]
        assert (session / "i").read_bytes() == b"first"


@pytest.mark.anyio
async def test_a_directory_is_made_when_it_is_first_needed(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, held=True)
        session = Path((await record(service, id)).session)
        assert not session.exists()
        with pytest.raises(NotFound, match="there is no 'x'"):
            await service.open_file(ALICE, id, "x")
        assert await service.list_files(ALICE, id, "") == ([], None)
        assert session.stat().st_mode & 0o777 == 0o700


@pytest.mark.anyio
async def test_what_is_purged_meanwhile_gets_no_directory(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, held=True)
        activity = await record(service, id)
        await service.purge(ALICE, [id], terminate=True)
        with pytest.raises(NotFound, match="there is no activity"):
            await service._files.entries(activity, "", None, 10)
        assert not Path(activity.session).exists()


@pytest.mark.anyio
async def test_quotas_keep_files_from_coming_in(tmp_path: Path) -> None:
    async with told_service(tmp_path, session_quota=1000, sessions_quota=1500) as (service, _):
        first, second = await create(service, held=True), await create(service, held=True)
        await service.put_file(ALICE, first, "a", content(b"x" * 900))
        with pytest.raises(NoRoom, match="100 bytes are left"):
            await service.put_file(ALICE, first, "b", content(b"x" * 101))
        await service.put_file(ALICE, first, "b", content(b"x" * 100))
        with pytest.raises(NoRoom, match="500 bytes are left"):
            await service.put_file(ALICE, second, "a", content(b"x" * 501))
        await service.delete_file(ALICE, first, "a")
        await service.put_file(ALICE, second, "a", content(b"x" * 900))
        assert size_below(str(tmp_path / "sessions")) == 1000


@pytest.mark.anyio
async def test_what_comes_at_the_same_time_must_fit_together(tmp_path: Path) -> None:
    async with told_service(tmp_path, session_quota=1000, sessions_quota=1500) as (service, _):
        ids = [await create(service, held=True) for _ in range(4)]

        async def slowly() -> AsyncIterator[bytes]:
            for _ in range(8):
                yield b"x" * 100
                await asyncio.sleep(0.005)

        async def put(id: str, name: str) -> object:
            try:
                return (await service.put_file(ALICE, id, name, slowly())).size
            except NoRoom:
                return None

        async with asyncio.timeout(LIMIT):
            sizes = await asyncio.gather(*(put(id, name) for id in ids for name in "abc"))
        assert sizes.count(800) == 1, "1500 bytes for all, of which 800 are taken: no other one fits"
        assert sizes.count(None) == 11
        # What says how long it is waits for nobody who leaves it room.
        one = await create(service, held=True, inputs=[Input(path=name, size=100) for name in "abcd"])

        async def short() -> AsyncIterator[bytes]:
            yield b"x" * 100

        async with asyncio.timeout(LIMIT):
            done = await asyncio.gather(*(service.put_file(ALICE, one, name, short()) for name in "abcd"))
        assert [info.size for info in done] == [100] * 4
        # One that is given up in the middle keeps nothing.
        going = asyncio.create_task(put(one, "e"))
        await asyncio.sleep(0.01)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        quotas = service._files._quotas
        assert quotas._unknown == quotas._kept_in == quotas._kept_for == {}


@pytest.mark.anyio
async def test_a_fetch_beyond_the_quota_fails_with_words_and_a_job_beyond_it_is_warned(tmp_path: Path) -> None:
    with running() as place:
        place.files["/big"] = b"x" * 5000
        staging = Staging(StagingConfig(cache_size=0), OutboundPolicy(["127.0.0.0/8"]), str(tmp_path / "staging"))
        async with told_service(tmp_path, staging=staging, session_quota=1000, quota_look=0.05) as (service, _):
            id = await create(service, inputs=[Input(path="big", sources=[place.url + "/big"])])

            async def failed() -> bool:
                return (await record(service, id)).state is S.FAILED

            await until(failed)
            assert "1000" in ((await record(service, id)).reason or "")
            job = await create(service)
            await until(lambda: _submitted(service, job))
            (Path((await record(service, job)).session) / "written").write_bytes(b"x" * 2000)

            async def warned() -> bool:
                return any(event.kind == "quota" for event in await service.events(ALICE, job))

            await until(warned)
            (event,) = [one for one in await service.events(ALICE, job) if one.kind == "quota"]
            assert "2000 bytes" in (event.message or "")


def test_a_directory_of_very_many_files_is_listed_in_bounded_time_and_memory(tmp_path: Path) -> None:
    many = 25_000
    session = tmp_path / "s"
    session.mkdir()
    for number in range(many):
        os.close(os.open(session / f"{number * 7919 % many:06d}", os.O_CREAT | os.O_WRONLY))
    os.utime(session, (1, 1))  # written to long ago
    sessions = Sessions(str(tmp_path), lambda point: None)
    tracemalloc.start()
    names: list[str] = []
    after = None
    looks = 0
    look = sessions._listings._look

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return look(*args)

    sessions._listings._look = counted
    while True:
        entries, after = sessions.entries(str(session), "", after, 5000)
        names += [entry.path for entry in entries]
        if after is None:
            break
    assert names == [f"{number:06d}" for number in range(many)]
    assert looks == 1
    assert tracemalloc.get_traced_memory()[1] < 40_000_000
    tracemalloc.stop()
    (session / "000000a").touch()
    entries, _ = sessions.entries(str(session), "", "000000", 1)
    assert entries[0].path == "000000a"


def test_a_file_is_followed_while_it_grows(service: RunningService, tmp_path: Path) -> None:
    go = tmp_path / "go"
    service.start()
    with service.client() as client:
        script = f"echo one; while [ ! -e {go} ]; do sleep 0.05; done; echo two"
        id = client.submit({"executable": "/bin/sh", "arguments": ["-c", script]}).id
        _wait_for(client, id, "stdout")
        url = f"{client.endpoint.url}/v1/activities/{id}/files/stdout"
        headers = {"authorization": f"Bearer {client.endpoint.token}"}
        seen = b""
        with httpx.stream("GET", url, params={"follow": "true"}, headers=headers, timeout=30) as answer:
            assert answer.status_code == 200
            assert "content-length" not in answer.headers
            for piece in answer.iter_raw():
                seen += piece
                if seen == b"one\n":
                    go.touch()
        assert seen == b"one\ntwo\n"
        rest = httpx.get(url, params={"follow": "true", "start": 4}, headers=headers, timeout=30)
        assert rest.content == b"two\n"
        assert client.status(id).final


def _wait_for(client: Client, id: str, path: str) -> None:
    until_true(lambda: any(entry.path == path for entry in client.list_files(id)))


def test_a_follower_is_let_go_when_the_service_stops(service: RunningService) -> None:
    service.start()
    with service.client() as client:
        id = client.submit({"executable": "/bin/sleep", "arguments": ["30"]}).id
        _wait_for(client, id, "stdout")
        url = f"{client.endpoint.url}/v1/activities/{id}/files/stdout"
        headers = {"authorization": f"Bearer {client.endpoint.token}"}

        async def follow() -> bytes:
            async with (
                httpx.AsyncClient(headers=headers) as http,
                http.stream("GET", url, params={"follow": "true"}, timeout=30) as answer,
            ):
                assert service.process is not None
                service.process.terminate()
                return b"".join([piece async for piece in answer.aiter_raw()])

        assert asyncio.run(follow()) == b""
        assert service.process is not None
        assert service.process.wait(20) == 0


@pytest.mark.anyio
async def test_the_files_of_what_is_about_to_be_submitted_can_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory is made when it is handed over, which may not have happened yet."""
    gate, first, real = threading.Event(), threading.Event(), Sessions.make

    def make(self: Sessions, sessions: list[str]) -> None:
        if not first.is_set():
            first.set()
            assert gate.wait(LIMIT)
        real(self, sessions)

    monkeypatch.setattr(Sessions, "make", make)
    async with told_service(tmp_path) as (service, driver):
        id = await create(service)
        await until(first.is_set)
        assert await service.list_files(ALICE, id, "") == ([], None)
        gate.set()
        await until(lambda: driver.submitted)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["[a]", "*", "what?", "[!a]/x[1]"])
async def test_an_input_is_the_file_of_that_name_and_no_pattern(tmp_path: Path, name: str) -> None:
    async with told_service(tmp_path) as (service, driver):
        inputs = [Input(path=name, delete_on_termination=True), Input(path="kept", content="k")]
        id = await create(service, inputs=inputs)
        session = Path((await record(service, id)).session)
        await until((session / "kept").exists)
        await service.put_file(ALICE, id, "other", content())
        assert not driver.submitted, "another file is not the one that it waits for"
        await service.put_file(ALICE, id, name, content(b"here"))
        await until(lambda: id in driver.submitted)
        await driver.end(id)
        await until(lambda: _final(service, id))
        assert sorted(path.name for path in session.iterdir() if not path.is_dir()) == ["kept", "other"]


async def _final(service: Any, id: str) -> bool:
    return (await record(service, id)).state is S.FINISHED


@pytest.mark.anyio
async def test_what_is_declared_of_a_file_holds_however_its_path_is_written(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, _):
        id = await create(service, inputs=[Input(path="./d//i", size=3)])
        for path in ("d/i", "d/./i"):
            with pytest.raises(InvalidInput, match="3 were declared"):
                await service.put_file(ALICE, id, path, content(b"four"[:2]))
        await service.put_file(ALICE, id, "d/i", content(b"two"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("inputs", "element", "words"),
    [
        ([Input(path="a", content="x", size=2)], "inputs[0].content", "1 bytes; 2 were declared"),
        ([Input(path="a", content="x", sha256="0" * 64)], "inputs[0].content", "SHA-256"),
        ([Input(path="a", content="ä", md5="0" * 32)], "inputs[0].content", "MD5"),
        ([Input(path="a"), Input(path="./a")], "inputs[1].path", "the same as 'a'"),
        ([Input(path="a/b", content="x"), Input(path="a", content="x")], "inputs[0].path", "where 'a' is a file"),
        ([Input(path="a/b/c"), Input(path="a")], "inputs[0].path", "with a slash"),
        ([Input(path="a-"), Input(path="b/"), Input(path="b/a/c"), Input(path="b/a")], "inputs[2].path", "'b/a' is a"),
        ([Input(path=".")], "inputs[0].path", "itself"),
        ([Input(path="a/", content="x")], "inputs[0].path", "directory"),
        ([Input(path="ok"), Input(path="d/" + "ä" * 128)], "inputs[1].path", "255 bytes"),
    ],
)
async def test_inputs_that_can_never_be_there_are_refused(
    tmp_path: Path, inputs: list[Input], element: str, words: str
) -> None:
    async with told_service(tmp_path) as (service, _):
        (refused,) = await service.create(ALICE, [CreateRequest(Description(executable="true", inputs=inputs))])
        assert isinstance(refused, InvalidInput)
        assert refused.element == element
        assert words in refused.message


@pytest.mark.anyio
async def test_inputs_that_can_be_there_are_taken(tmp_path: Path) -> None:
    async with told_service(tmp_path) as (service, driver):
        right = Input(path="a", content="ä", size=2, sha256=hashlib.sha256("ä".encode()).hexdigest())
        id = await create(service, inputs=[right, Input(path="ä" * 127, content="x"), Input(path="d/x", content="")])
        await until(lambda: id in driver.submitted)
