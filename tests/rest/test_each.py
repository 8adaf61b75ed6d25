"""Vectors of ids and changes: what is wrong with an element is told of it alone, and there are not too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from lxml import etree

from argosy.model import ActivityState
from argosy.service.administration.limits import Limits
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio

PATHS = ("status", "restart", "purge", "actions")
BAD: list[Any] = [3, None, {"nonsense": 1}, ["x"], "nobody"]


async def _create(http: httpx.AsyncClient) -> str:
    return str((await http.post("/v1/activities", json={"executable": "/bin/true"})).json()["id"])


def _element(path: str) -> Callable[[Any], Any]:
    return (lambda one: {"id": one, "action": "hold"}) if path == "actions" else (lambda one: one)


@pytest.mark.parametrize("path", PATHS)
async def test_each_is_answered_by_itself(http: httpx.AsyncClient, operations: FakeOperations, path: str) -> None:
    of = _element(path)
    first, last = await _create(http), await _create(http)
    for id in (first, last):
        operations.advance(id, ActivityState.FAILED if path in ("restart", "purge") else ActivityState.PENDING)
    answer = await http.post(f"/v1/activities/{path}", json=[of(first), *map(of, BAD), of(last)])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    problems = [one if path == "purge" else one.get("problem") for one in told]
    assert problems[0] is None
    assert problems[-1] is None
    assert [one["status"] for one in problems[1:-1]] == [422] * 4 + [404]
    field = ".id" if path == "actions" else ""
    assert [one["element"] for one in problems[1:-2]] == [f"[{place}]{field}" for place in (1, 2, 3, 4)]
    if path != "purge":
        assert [one.get("activity", {}).get("id") for one in (told[0], told[-1])] == [first, last]


async def test_what_is_no_change_at_all(http: httpx.AsyncClient) -> None:
    id = await _create(http)
    body = [{"action": "hold"}, {"id": id, "acton": "hold"}, 7, {"id": id, "action": "hold"}]
    told = (await http.post("/v1/activities/actions", json=body)).json()
    assert [one.get("problem", {}).get("element") for one in told] == ["[0].id", "[1].acton", "[2]", None]


async def test_letters_too(http: httpx.AsyncClient) -> None:
    told = (await http.post("/v1/notifications/resend", json=[1, -1, "x", 1 << 60, 2])).json()
    assert [one and one.get("element") for one in told] == [None, "[1]", "[2]", "[3]", None]


async def test_in_the_words_of_a_model(http: httpx.AsyncClient) -> None:
    id = await _create(http)
    answer = await http.post(
        "/v1/activities/status", params={"model": "bes"}, json=[id, 3], headers={"Accept": "application/xml"}
    )
    assert answer.status_code == 200, answer.text
    told = etree.fromstring(answer.content)
    assert [len(one.findall("{*}Fault")) for one in told] == [0, 1]


@pytest.mark.parametrize("path", [*PATHS, "batch"])
async def test_too_many_are_refused_with_the_published_limit(http: httpx.AsyncClient, path: str) -> None:
    most = Limits().vector
    element = {"description": {"executable": "/bin/true"}} if path == "batch" else _element(path)("x")
    answer = await http.post(f"/v1/activities/{path}", json=[element] * (most + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert f"the most are {most}" in answer.json()["detail"]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_no_vector_is_refused_as_a_whole(http: httpx.AsyncClient, path: str) -> None:
    for body, status in ((b'{"id": "x"}', 422), (b'["x"', 400), (b"", 400)):
        answer = await http.post(f"/v1/activities/{path}", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (body, answer.text)
