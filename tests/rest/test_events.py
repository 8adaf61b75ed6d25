from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from argosy.client.sse import Frame, Parser
from argosy.endpoints.rest.render import event
from argosy.endpoints.rest.waiting import frames
from argosy.languages.native import Description
from argosy.model import ActivityState, Unavailable
from argosy.service.contract import CreateRequest
from argosy.store import Event
from tests.rest.fake import CALLER, TOKEN, FakeOperations
from tests.rest.live import Live

pytestmark = pytest.mark.anyio

S = ActivityState


async def job(operations: FakeOperations) -> str:
    (made,) = await operations.create(CALLER, [CreateRequest(Description(executable="x"))])
    return made.activity.id


async def test_the_history_is_paged(http: httpx.AsyncClient, operations: FakeOperations) -> None:
    id, other = await job(operations), await job(operations)
    for state in (S.STAGING_IN, S.STAGED_IN, S.FAILED):
        operations.advance(id, state, f"to {state}")
        operations.emit(other, "noise")
    items = (await http.get(f"/v1/activities/{id}/events")).json()["items"]
    assert [(e["kind"], e["state"], e.get("message")) for e in items] == [
        ("created", "pending", None),
        ("state", "running:stage-in:staging", "to running:stage-in:staging"),
        ("state", "running:stage-in:staged", "to running:stage-in:staged"),
        ("state", "failed", "to failed"),
    ]
    rest = (await http.get(f"/v1/activities/{id}/events?after={items[1]['seq']}&limit=1")).json()["items"]
    assert rest == items[2:3]


def stream(live: Live, path: str, **headers: str) -> list[Frame]:
    """All events of a stream until its end, over the real server."""
    parser = Parser()
    found: list[Frame] = []
    with httpx.stream(
        "GET", live.addresses.url + path, headers={"Authorization": f"Bearer {TOKEN}"} | headers, timeout=20
    ) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        for chunk in response.iter_raw():
            found += [frame for frame in parser.feed(chunk) if frame.data]
    return found


def test_a_stream_begins_where_it_is_told_and_ends_with_its_activity(live: Live) -> None:
    id = live.do(job, live.operations)
    for state in (S.STAGING_IN, S.STAGED_IN, S.FINISHED):
        live.do(live.operations.advance, id, state, "line\u2028separator\x85")
    path = f"/v1/activities/{id}/stream"
    everything = stream(live, path + "?after=0")
    assert [f.kind for f in everything] == ["created", "state", "state", "state", "end"]
    assert "line\u2028separator\x85" in everything[1].data.decode()
    assert stream(live, path + "?after=2") == everything[2:]
    assert stream(live, path + "?after=0", **{"Last-Event-ID": "2"}) == everything[2:]
    assert stream(live, path + "?after=0&lastEventId=2") == everything[2:]
    assert stream(live, path) == everything[4:]
    assert stream(live, f"/v1/events?activity={id}&after=0") == everything


def test_a_stream_shows_only_the_states_and_kinds_that_are_asked_for(live: Live) -> None:
    id = live.do(job, live.operations)
    for state in (S.STAGING_IN, S.STAGED_IN, S.LRMS_RUNNING, S.FINISHED):
        live.do(live.operations.advance, id, state)
        live.do(live.operations.emit, id, "reason")
    path = f"/v1/activities/{id}/stream?after=0"

    def seen(query: str) -> list[tuple[str, str]]:
        *frames, end = stream(live, path + query)
        assert end.kind == "end"
        return [(frame.kind, json.loads(frame.data)["state"]) for frame in frames]

    assert seen("&state=final&kind=state") == [("state", "finished")]
    assert seen("&state=running:stage-in&state=failed&kind=state") == [
        ("state", "running:stage-in:staging"),
        ("state", "running:stage-in:staged"),
    ]
    assert seen("&kind=created") == [("created", "pending")]
    assert len(seen("&kind=*")) == 9
    refused = httpx.get(live.addresses.url + path + "&state=nowhere", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (refused.status_code, refused.json()["element"]) == (422, "state")


def _created(one: Event) -> bool:
    return one.kind == "created"


async def test_what_is_not_shown_moves_the_place_to_go_on_from(operations: FakeOperations) -> None:
    id = await job(operations)
    operations.emit(id, "reason")
    source = frames(operations.stream(CALLER, after=0), asyncio.Event(), wanted=_created, rendered=event, after=0)
    assert await anext(source) == b"id: 0\n\n"
    told = await anext(source)
    assert told.startswith(b"id: 1\nevent: created\n")
    assert told.endswith(b"\n\nid: 2\n\n")
    await source.aclose()


def test_a_stream_shows_what_happens_while_it_is_open_and_is_cut_when_the_server_stops(live: Live) -> None:
    id = live.do(job, live.operations)
    parser = Parser()
    seen: list[str] = []
    with httpx.stream(
        "GET", live.addresses.url + "/v1/events", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20
    ) as response:
        for chunk in response.iter_raw():
            for frame in parser.feed(chunk):
                if frame.data:
                    seen.append(frame.kind)
                    live.loop.call_soon_threadsafe(live.stop.set)
                else:
                    assert frame.id == 1  # where it begins
                    live.do(_advance_when_listening, live.operations, id)
    assert seen == ["state"]
    live.close()


async def _advance_when_listening(operations: FakeOperations, id: str) -> None:
    while not operations.streams:
        await asyncio.sleep(0)
    operations.advance(id, S.STAGING_IN)


def test_a_client_that_goes_away_leaves_nothing_behind(live: Live) -> None:
    id = live.do(job, live.operations)
    with httpx.stream(
        "GET",
        f"{live.addresses.url}/v1/activities/{id}/stream?after=0",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=20,
    ) as response:
        chunks = response.iter_raw()
        received = b""
        while b"created" not in received:
            received += next(chunks)
        assert live.operations.streams == 1

    async def gone() -> None:
        async with asyncio.timeout(10):
            while live.operations.streams:
                await asyncio.sleep(0)

    live.do(gone)


async def test_a_quiet_stream_shows_that_it_is_alive(operations: FakeOperations) -> None:
    await job(operations)
    source = frames(operations.stream(CALLER), asyncio.Event(), heartbeat=0.01, rendered=event, after=7)
    beats = [await anext(source) for _ in range(3)]
    assert beats == [b"id: 7\n\n", b": \n\n", b": \n\n"]
    assert operations.streams == 1
    await source.aclose()
    assert operations.streams == 0


async def test_an_error_on_the_way_is_told(operations: FakeOperations) -> None:
    async def broken():
        raise Unavailable("the store is away")
        yield ()

    told = [frame async for frame in frames(broken(), asyncio.Event(), rendered=event, after=3)]
    assert told[0] == b"id: 3\n\n"
    assert told[1].startswith(b'event: problem\ndata: {"title":"Service Unavailable","status":503')
    assert len(told) == 2
