"""The history of activities: pages of it, and as it happens."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.types import ASGIApp

from argosy.languages.documents import EventPage
from argosy.model import InvalidInput
from argosy.model.notification import check_kind, check_state, told
from argosy.service.contract import Event, Operations

from . import render, waiting
from .bodies import MAX_NUMBER
from .parameter_types import AfterSeq, ApiRequest, Limit
from .streaming import Answer

EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"content-type": EVENT_STREAM, "cache-control": "no-store", "x-accel-buffering": "no"}

After = Annotated[
    int | None,
    QueryParameter(ge=0, le=MAX_NUMBER, description="Begin after this event's `seq`; Last-Event-ID does the same."),
]
#: In place of the header, which a browser's EventSource would send; what stands in for that where a header must let the
#: caller in (event-source-polyfill) sends this.
LastEventId = Annotated[str | None, QueryParameter(name="lastEventId", description="The same as Last-Event-ID.")]
States = Annotated[
    list[str] | None,
    QueryParameter(
        name="state", description="Only events that left it in this state or below it, or in a final one; repeatable."
    ),
]
Kinds = Annotated[list[str] | None, QueryParameter(description="Only events of this kind; repeatable.")]


def event_routes(operations: Operations, closing: asyncio.Event) -> list[HTTPRouteHandler]:
    """The routes of events."""

    def stream(
        request: ApiRequest, ids: list[str], after: int | None, states: list[str] | None, kinds: list[str] | None
    ) -> ASGIApp:
        """`after` as `resume` has it."""
        for state in states or ():
            check_state(state, "state")
        for kind in kinds or ():
            check_kind(kind, "kind")
        begin = operations.newest if after is None else after
        source = operations.stream(request.user, ids, after=begin)
        chosen = partial(_wanted, states or [], kinds or [])
        frames = waiting.frames(source, closing, wanted=chosen, rendered=render.event, after=begin)
        return Answer(200, STREAM_HEADERS, frames)

    @get(
        "/activities/{id:str}/events",
        operation_id="list_events",
        summary="What has happened to an activity",
        opt={"problems": (404, 422, 503)},
    )
    async def history(
        request: ApiRequest,
        id: FromPath[str],
        after: AfterSeq = 0,
        limit: Limit = 1000,
    ) -> EventPage:
        events = await operations.events(request.user, id, after=after, limit=limit)
        return EventPage(items=[render.event(event) for event in events])

    @get(
        "/activities/{id:str}/stream",
        operation_id="stream_activity",
        summary="What happens to an activity, as it happens, until it is final (server-sent events)",
        opt={"answers": {200: EVENT_STREAM}, "headers": ("Last-Event-ID",), "problems": (404, 422, 503)},
    )
    async def of_one(
        request: ApiRequest,
        id: FromPath[str],
        after: After = None,
        last_event_id: LastEventId = None,
        states: States = None,
        kind: Kinds = None,
    ) -> ASGIApp:
        await waiting.status(operations, request.user, id)
        return stream(request, [id], resume(request, last_event_id, after), states, kind)

    @get(
        "/events",
        operation_id="stream_events",
        summary="What happens to the caller's activities, as it happens (server-sent events)",
        opt={"answers": {200: EVENT_STREAM}, "headers": ("Last-Event-ID",), "problems": (404, 422, 503)},
    )
    async def of_all(
        request: ApiRequest,
        activity: Annotated[list[str] | None, QueryParameter(description="Only of these; repeatable.")] = None,
        after: After = None,
        last_event_id: LastEventId = None,
        states: States = None,
        kind: Kinds = None,
    ) -> ASGIApp:
        for id in activity or ():
            await waiting.status(operations, request.user, id)
        return stream(request, activity or [], resume(request, last_event_id, after), states, kind)

    return [history, of_one, of_all]


def _wanted(states: list[str], kinds: list[str], event: Event) -> bool:
    return told(states, kinds, event.kind, event.state)


def resume(request: ApiRequest, last_event_id: str | None, after: int | None) -> int | None:
    """Where to begin. A browser that reconnects repeats the address, so Last-Event-ID comes before `after`."""
    for name, last in (("Last-Event-ID", request.headers.get("last-event-id")), ("lastEventId", last_event_id)):
        if last:
            if not (last.isascii() and last.isdigit() and len(last) < 19):
                raise InvalidInput(f"{last!r} is no event's id here; it is a number", element=name)
            return int(last)
    return after
