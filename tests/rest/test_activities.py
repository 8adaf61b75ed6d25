from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.endpoints.rest import bodies
from argosy.endpoints.rest.app import RestApp
from argosy.languages.native import Description
from argosy.model import ActivityState, Conflict, InvalidInput, LimitExceeded, SubmitException, Unavailable, Usage
from tests.rest.fake import FakeOperations

pytestmark = pytest.mark.anyio

S = ActivityState
JOB = {"executable": "/bin/true"}


async def create(http: httpx.AsyncClient, **fields: Any) -> str:
    response = await http.post("/v1/activities", json=JOB | fields)
    assert response.status_code == 201
    id: str = response.json()["id"]
    return id


async def test_created_activity_has_an_address_and_is_shown_there(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/activities", json=JOB | {"name": "n", "share": "fake/debug", "tags": {"a": "b"}})
    assert response.status_code == 201
    made = response.json()
    assert response.headers["location"] == f"/v1/activities/{made['id']}" == made["links"]["self"]
    shown = await http.get(response.headers["location"])
    assert shown.json() == made
    assert (made["state"], made["psij_state"], made["name"], made["share"], made["tags"]) == (
        "pending",
        "QUEUED",
        "n",
        "fake/debug",
        {"a": "b"},
    )
    assert made["created"].endswith("Z")
    described = await http.get(made["links"]["description"])
    assert described.json() == JOB | {"name": "n", "share": "fake/debug", "tags": {"a": "b"}}


async def test_everything_that_is_known_is_shown(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await create(http)
    operations.advance(
        id,
        S.FINISHED,
        native_id="17",
        submitted=1.0,
        started=2.0,
        ended=3.25,
        exit_code=3,
        reason="r",
        hosts=("a", "b"),
        usage=Usage(1.5, 2.5, 1024),
        expires=86400.0,
    )
    shown = (await http.get(f"/v1/activities/{id}")).json()
    expected = {
        "state": "finished",
        "psij_state": "FAILED",
        "final": True,
        "version": 2,
        "native_id": "17",
        "submitted": "1970-01-01T00:00:01.000Z",
        "started": "1970-01-01T00:00:02.000Z",
        "ended": "1970-01-01T00:00:03.250Z",
        "exit_code": 3,
        "reason": "r",
        "hosts": ["a", "b"],
        "usage": {"cpu_seconds": 1.5, "wall_seconds": 2.5, "max_rss": 1024},
        "expires": "1970-01-02T00:00:00.000Z",
    }
    assert {key: shown.get(key) for key in expected} == expected


async def test_a_key_makes_a_repeat_answer_with_the_first(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    first = await http.post("/v1/activities", json=JOB, headers={"Idempotency-Key": "k"})
    again = await http.post("/v1/activities", json=JOB, headers={"Idempotency-Key": '"k"'})
    other = await http.post("/v1/activities", json={"executable": "/bin/false"}, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"]
    assert other.json()["code"] == "conflict"
    assert len(operations.activities) == 1


async def test_a_batch_is_answered_element_by_element(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    batch = [
        {"description": JOB, "submission_id": "a"},
        {"description": {"executable": "x", "resources": {"nodes": 0}}},
        {"description": {"executable": "x", "inputs": [{"path": "../x"}]}},
        {"description": JOB, "submission_id": "a"},
        "nothing",
        {"description": JOB, "extra": 1},
        {"description": JOB, "submission_id": ""},
        {"description": JOB},
    ]
    response = await http.post("/v1/activities/batch", json=batch)
    assert response.status_code == 200
    answers = response.json()
    assert [next(iter(answer)) for answer in answers] == [
        "activity",
        "problem",
        "problem",
        "activity",
        "problem",
        "problem",
        "problem",
        "activity",
    ]
    assert answers[0]["activity"]["id"] == answers[3]["activity"]["id"] != answers[7]["activity"]["id"]
    assert [answer["problem"]["element"] for answer in answers if "problem" in answer] == [
        "[1].description.resources.nodes",
        "[2].description.inputs[0].path",
        "[4]",
        "[5].extra",
        "[6].submission_id",
    ]
    assert len(operations.activities) == 2


def test_equal_descriptions_of_a_batch_are_read_once() -> None:
    batch = [{"description": JOB, "submission_id": str(i)} for i in range(3)] + [{"description": JOB | {"name": "n"}}]
    reading = bodies.Reading()

    def read(element: object) -> tuple[Description, str | None, list[str]]:
        return reading.element(msgspec.Raw(json.dumps(element).encode()))

    (one, first, _), (two, second, _), (three, third, _), (other, none, _) = map(read, batch)
    assert one is two is three != other
    assert [first, second, third, none] == ["0", "1", "2", None]
    with pytest.raises(InvalidInput) as wrong:
        read({"description": None})
    assert wrong.value.element == "description"
    assert read(batch[0])[0] is one


async def test_an_empty_batch_has_an_empty_answer(http: httpx.AsyncClient) -> None:
    assert (await http.post("/v1/activities/batch", json=[])).json() == []


async def test_status_of_many_keeps_their_order(http: httpx.AsyncClient) -> None:
    one, two = await create(http), await create(http)
    response = await http.post("/v1/activities/status", json=[two, "nobody", one])
    answers = response.json()
    assert [a.get("activity", {}).get("id") for a in answers] == [two, None, one]
    assert answers[1]["problem"]["code"] == "not-found"


async def test_a_list_is_filtered_and_paged(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    ids = [await create(http, name="n", tags={"k": "v:w", "i": str(i)}, share=f"r{i % 2}") for i in range(5)]
    operations.advance(ids[0], S.FINISHED)
    operations.advance(ids[1], S.LRMS_RUNNING)

    async def listed(query: str) -> list[int]:
        response = await http.get(f"/v1/activities?{query}")
        assert response.status_code == 200, response.text
        return [ids.index(item["id"]) for item in response.json()["items"]]

    assert await listed("") == [4, 3, 2, 1, 0]
    assert await listed("state=running&state=finished") == [1, 0]
    assert await listed("state=running:lrms") == [1]
    assert await listed("tag=k:v:w&tag=i:3") == [3]
    assert await listed("name=n&resource=r1") == [3, 1]
    assert await listed("name=other") == []
    assert await listed("created_from=2100-01-01T00:00:00Z") == []
    assert await listed("created_before=2100-01-01T00:00:00%2B01:00") == [4, 3, 2, 1, 0]
    assert await listed("created_before=2100-01-01T00:00:00+01:00") == [4, 3, 2, 1, 0]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = (await http.get("/v1/activities", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("query", "element"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("state=nonsense", "state"),
        ("state=run", "state"),
        ("tag=k", "tag"),
        ("created_from=yesterday", "created_from"),
        ("created_before=12", "created_before"),
    ],
)
async def test_a_wrong_filter_is_named(http: httpx.AsyncClient, query: str, element: str) -> None:
    response = await http.get(f"/v1/activities?{query}")
    assert (response.status_code, response.json()["element"]) == (422, element)


async def test_start_terminate_and_purge(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await create(http, held=True)
    assert (await http.post(f"/v1/activities/{id}/start")).json()["state"] == "pending"
    again = await http.post(f"/v1/activities/{id}/start")
    assert (again.status_code, again.json()["code"]) == (409, "invalid-state")
    assert (await http.delete(f"/v1/activities/{id}")).status_code == 409
    ended = await http.post(f"/v1/activities/{id}/terminate")
    assert (ended.status_code, ended.json()["state"]) == (202, "terminated")
    gone = await http.delete(f"/v1/activities/{id}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await http.get(f"/v1/activities/{id}")).status_code == 404
    running = await create(http)
    assert (await http.delete(f"/v1/activities/{running}?terminate=true")).status_code == 204
    assert operations.purged == [(id, False), (running, True)]


async def test_purging_many_answers_for_each_in_its_place(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    ended, runs = await create(http), await create(http)
    await http.post(f"/v1/activities/{ended}/terminate")
    answers = (await http.post("/v1/activities/purge", json=[runs, ended, "0" * 32, ended])).json()
    assert answers[1] is None
    assert [answer and answer["code"] for answer in answers] == ["invalid-state", None, "not-found", "not-found"]
    assert (await http.post("/v1/activities/purge?terminate=true", json=[runs])).json() == [None]
    assert operations.purged == [(ended, False), (runs, True)]
    refused = await http.post("/v1/activities/purge", json={"ids": [runs]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-input")


async def test_an_activity_that_is_known_is_not_sent_again(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await create(http)
    first = await http.get(f"/v1/activities/{id}")
    for address in (f"/v1/activities/{id}", f"/v1/activities/{id}?wait=0"):
        same = await http.get(address, headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert "content-length" not in same.headers
        for tags in ("*", f'"x", W/{first.headers["etag"]}'):
            assert (await http.get(address, headers={"If-None-Match": tags})).status_code == 304, tags
        assert (await http.get(address, headers={"If-None-Match": '"x", "y"'})).status_code == 200
        assert same.headers["etag"] == first.headers["etag"]
    operations.advance(id, S.STAGING_IN)
    assert (await http.get(f"/v1/activities/{id}", headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_long_poll_answers_when_something_changes(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id = await create(http)
    at_once = await http.get(f"/v1/activities/{id}?wait=30&version=0")
    assert at_once.json()["version"] == 1
    waiting = asyncio.create_task(http.get(f"/v1/activities/{id}?wait=30&version=1"))
    until_final = asyncio.create_task(http.get(f"/v1/activities/{id}?wait=30"))
    while operations.streams < 2:
        await asyncio.sleep(0)
    operations.advance(id, S.STAGING_IN)
    assert (await waiting).json()["version"] == 2
    assert not until_final.done()
    operations.advance(id, S.FAILED)
    assert (await until_final).json()["state"] == "failed"
    assert operations.streams == 0


async def test_long_poll_ends_with_its_time_and_with_the_endpoint(
    http: httpx.AsyncClient, operations: FakeOperations, app: RestApp
) -> None:
    id = await create(http)
    assert (await http.get(f"/v1/activities/{id}?wait=0.05")).json()["version"] == 1
    waiting = asyncio.create_task(http.get(f"/v1/activities/{id}?wait=60"))
    while operations.streams < 1:
        await asyncio.sleep(0)
    app.close()
    assert (await waiting).status_code == 200
    assert operations.streams == 0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Conflict("c"), 409),
        (LimitExceeded("l"), 429),
        (SubmitException("s"), 502),
        (Unavailable("u"), 503),
    ],
)
async def test_errors_of_the_service(
    http: httpx.AsyncClient, operations: FakeOperations, error: Exception, status: int
) -> None:
    operations.failure = error
    for response in (
        await http.post("/v1/activities", json=JOB),
        await http.post("/v1/activities/status", json=["x"]),
        await http.get("/v1/activities/x"),
    ):
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"] == str(error)


FIELDS = st.sampled_from(["executable", "arguments", "resources", "tags", "inputs", "duration", "nonsense", "name"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(FIELDS, VALUES) | VALUES)
async def test_whatever_is_sent_is_created_or_refused_with_a_reason(http: httpx.AsyncClient, body: Any) -> None:
    response = await http.post("/v1/activities", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code in (201, 400, 422), response.text
    if response.status_code != 201:
        assert response.json()["detail"]


@pytest.mark.parametrize("accept", ["application/xml", "image/png", "text/xml", "application/json;q=0"])
@pytest.mark.parametrize("query", ["", "?verbosity=detailed"])
async def test_what_an_activity_cannot_be_had_as_is_not_answered_as_json(
    http: httpx.AsyncClient, accept: str, query: str
) -> None:
    made = await http.post("/v1/activities", json={"executable": "x"})
    answer = await http.get(made.headers["location"] + query, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")
    for fine in ("application/json", "*/*", "", "text/html, */*;q=0.1", "APPLICATION/JSON"):
        answer = await http.get(made.headers["location"] + query, headers={"Accept": fine})
        assert answer.headers["content-type"] == "application/json", fine


@pytest.mark.parametrize(
    "address", ["activities", "sweeps", "subscriptions", "notifications/dead", "usage/records", "activities/{}/files"]
)
async def test_an_empty_cursor_is_that_of_the_first_page(http: httpx.AsyncClient, address: str) -> None:
    made = await http.post("/v1/activities", json={"executable": "x", "notify": [{"url": "https://example.org/"}]})
    address = f"/v1/{address.format(made.json()['id'])}"
    first = await http.get(address)
    assert first.status_code == 200
    assert (await http.get(address, params={"cursor": ""})).json() == first.json()


@pytest.mark.parametrize(
    ("address", "methods"),
    [
        ("/v1/activities", "GET, OPTIONS, POST"),
        ("/v1/activities/x", "DELETE, GET, OPTIONS"),
        ("/v1/activities/x/files/y", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/v1/openapi.json", "GET, OPTIONS"),
    ],
)
async def test_all_methods_of_an_address_are_told(http: httpx.AsyncClient, address: str, methods: str) -> None:
    told = await http.options(address)
    assert (told.status_code, told.headers["allow"]) == (204, methods)
    refused = await http.patch(address)
    assert refused.status_code == 405
    assert sorted(refused.headers["allow"].split(", ")) == methods.split(", ")


@pytest.mark.parametrize(("method", "address"), [("POST", ""), ("POST", "/batch"), ("PUT", "/{}/files/f")])
async def test_a_body_in_another_coding_is_not_taken_for_itself(
    http: httpx.AsyncClient, operations: FakeOperations, method: str, address: str
) -> None:
    made = (await http.post("/v1/activities", json={"executable": "x"})).json()["id"]
    address = "/v1/activities" + address.format(made)
    refused = await http.request(method, address, content=b"{}", headers={"Content-Encoding": "gzip"})
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported-media-type")
    assert refused.headers["accept-encoding"] == "identity"
    assert operations.files[made] == {}
    plain = await http.request(method, address, content=b"[]", headers={"Content-Encoding": "identity"})
    assert plain.status_code != 415
