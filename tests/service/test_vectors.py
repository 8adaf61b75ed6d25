"""Vectors of creations: what is looked at once for many makes no difference to any of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.executors.contract import JobRequest
from argosy.languages import native
from argosy.model import ArgosyError, InvalidJobException, Unavailable
from argosy.service.contract import CreateRequest
from argosy.service.service import ExecutionService
from argosy.store import Created, Query
from argosy.store.sqlite import SQLiteStore
from tests.service.driving import ALICE, ToldDriver, told_service, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Choosy(ToldDriver):
    """Refuses what batch systems refuse: some names, and some variables, but no arguments."""

    def check(self, request: JobRequest) -> None:
        if (request.spec.given_name or "").startswith("@"):
            raise InvalidJobException("no name begins with @ here", element="name")
        if (request.spec._stdout_path or "").endswith("b"):
            raise InvalidJobException("b is no name for output here", element="stdout_path")
        if "PWD" in (request.spec.environment or {}):
            raise InvalidJobException("PWD cannot be set here", element="environment")


text = st.sampled_from(["", "a", "b", "ä\n", "\0", "x" * 200_000, "-v"])
described: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"executable": st.sampled_from(["/bin/true", "/bin/echo"])},
    optional={
        "arguments": st.lists(text, max_size=2),
        "name": st.sampled_from(["one", "two", "@three", "fo\0ur"]),
        "environment": st.dictionaries(st.sampled_from(["A", "B", "PWD", "1X"]), text, max_size=2),
        "tags": st.dictionaries(st.sampled_from(["t", "u", ""]), st.sampled_from(["1", "2", "\0"]), max_size=2),
        "held": st.booleans(),
        "share": st.sampled_from(["told", "nowhere"]),
        "stdout": st.sampled_from(["out", "a//../b", "../out", "/x", "o\0ut"]),
        "stdin": st.sampled_from(["in", "", "a/../../in"]),
        "resources": st.sampled_from([{}, {"processes": 2}]),
    },
)


async def answers_to(service: ExecutionService, documents: list[dict[str, Any]], *, together: bool) -> list[object]:
    requests = [CreateRequest(native.Description(**_built(one))) for one in documents]
    if together:
        answers = await service.create(ALICE, requests)
    else:
        answers = [answer for one in requests for answer in await service.create(ALICE, [one])]
    found: list[object] = []
    for answer in answers:
        if isinstance(answer, ArgosyError):
            found.append((type(answer), answer.message, answer.element))
        else:
            made = answer.activity
            described = await service.description(ALICE, made.id)
            found.append((made.name, made.tags, made.resource, made.cores, made.processes, made.state, described))
    return found


def _built(document: dict[str, Any]) -> dict[str, Any]:
    needs = document.get("resources")
    return document if needs is None else document | {"resources": native.Resources(**needs)}


async def test_elements_are_answered_as_each_by_itself(tmp_path: Path) -> None:
    async with told_service(tmp_path, driver=Choosy()) as (service, _):
        loop = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(described, max_size=8))
        def check(documents: list[dict[str, Any]]) -> None:
            def ask(together: bool) -> list[object]:
                return asyncio.run_coroutine_threadsafe(answers_to(service, documents, together=together), loop).result(
                    30
                )

            assert ask(True) == ask(False)

        await asyncio.to_thread(check)


def asked(count: int) -> list[CreateRequest]:
    return [CreateRequest(native.Description(executable="/bin/true", arguments=[str(n)])) for n in range(count)]


async def test_what_the_store_does_not_take_is_told_of_its_part_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = SQLiteStore.create, 0

    async def create(self: SQLiteStore, new: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Unavailable("the disk is full")
        return await real(self, new)

    async with told_service(tmp_path) as (service, driver):
        monkeypatch.setattr(SQLiteStore, "create", create)
        answers = await service.create(ALICE, asked(600))
        made = [answer.activity.id for answer in answers if isinstance(answer, Created)]
        failed = [place for place, answer in enumerate(answers) if isinstance(answer, Unavailable)]
        assert failed == list(range(256, 512))
        assert str(answers[300]) == "the disk is full"
        await until(lambda: sorted(driver.submitted) == sorted(made))
        monkeypatch.setattr(SQLiteStore, "create", real)
        assert {one.id for one in (await service.page(ALICE, Query(limit=1000)))[0]} == set(made)


async def test_a_store_that_takes_nothing_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def create(self: SQLiteStore, new: Any) -> Any:
        raise Unavailable("the disk is full")

    async with told_service(tmp_path) as (service, _):
        monkeypatch.setattr(SQLiteStore, "create", create)
        with pytest.raises(Unavailable, match="the disk is full"):
            await service.create(ALICE, asked(600))


async def test_what_was_recorded_goes_on_when_whoever_asked_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, recording = SQLiteStore.create, asyncio.Event()

    async def create(self: SQLiteStore, new: Any) -> Any:
        recording.set()
        return await real(self, new)

    async with told_service(tmp_path) as (service, driver):
        monkeypatch.setattr(SQLiteStore, "create", create)
        asking = asyncio.create_task(service.create(ALICE, asked(300)))
        await recording.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: len(driver.submitted) >= 256)

        async def all_begun() -> bool:  # the second part may have been recorded too, now or in a moment
            stored, _ = await service.page(ALICE, Query(limit=1000))
            return set(driver.submitted) == {one.id for one in stored}

        await until(all_begun)
