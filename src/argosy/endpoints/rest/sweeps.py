"""Parameter sweeps over HTTP: many jobs in one request, watched and ended as a whole."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.types import ASGIApp

from argosy.languages import registry
from argosy.languages.contract import MAX_BYTES
from argosy.languages.sweeps import Options
from argosy.languages.sweeps.answers import SweepDocument, SweepEventPage, SweepPage
from argosy.languages.sweeps.document import SweepDescription
from argosy.model import InvalidInput
from argosy.model.choices import listed
from argosy.model.sweep import SweepState
from argosy.service.contract import Operations, SweepQuery
from argosy.service.contract import SweepDocument as Asked
from argosy.service.sweeps.contract import SweepRequest

from . import bodies, render_sweeps, waiting
from .events import EVENT_STREAM, STREAM_HEADERS, After, LastEventId, resume
from .parameter_types import AfterSeq, ApiRequest, Cursor, Key, Limit, Strict
from .problems import of_status
from .streaming import Answer

_Window = Annotated[int | None, QueryParameter(ge=1, description="The most jobs that are unfinished at a time.")]
_Stop = Annotated[int | None, QueryParameter(ge=1, description="After so many failures give up the others.")]
_Held = Annotated[bool, QueryParameter(description="Make its first job only when told.")]
_Share = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=400, description="Where its jobs go: RESOURCE or RESOURCE/QUEUE."),
]
_Name = Annotated[str | None, QueryParameter(min_length=1, max_length=200)]


def sweep_routes(operations: Operations, closing: asyncio.Event) -> list[HTTPRouteHandler]:
    """The routes under ``/sweeps``."""
    return [*_creating(operations), *_looking(operations, closing), *_acting(operations)]


def _creating(operations: Operations) -> list[HTTPRouteHandler]:
    @post(
        "/sweeps",
        operation_id="create_sweep",
        summary="Create a sweep; with an Idempotency-Key a repeat answers with the first one",
        opt={
            "body": (SweepDescription, *bodies.media_types()[1:]),
            "answers": {200: SweepDocument, 201: SweepDocument},
            "problems": (400, 409, 413, 415, 422, 429, 503),
        },
    )
    async def create(
        request: ApiRequest,
        idempotency_key: Key = None,
        strict: Strict = False,
        name: _Name = None,
        window: _Window = None,
        stop_after_failures: _Stop = None,
        held: _Held = False,
        share: _Share = None,
    ) -> Response[SweepDocument]:
        language = bodies.language_of(request.headers.get("content-type", "")) or registry.language("json")
        body = await request.body()
        if len(body) > MAX_BYTES:
            raise of_status(413)
        made = await operations.create_sweep(
            request.user,
            SweepRequest(
                Asked(language.name, strict, body),
                Options(name, window, stop_after_failures, held, share),
                bodies.check_key(idempotency_key, "Idempotency-Key"),
            ),
        )
        document = render_sweeps.sweep(made.sweep)
        document.notes = bodies.some_notes(made.notes)
        headers = {"Location": document.links["self"], "ETag": f'"{document.version}"'}
        return Response(document, status_code=200 if made.existed else 201, headers=headers)

    return [create]


def _looking(operations: Operations, closing: asyncio.Event) -> list[HTTPRouteHandler]:
    @get(
        "/sweeps",
        operation_id="list_sweeps",
        summary="The caller's sweeps, newest first",
        opt={"problems": (422, 503)},
    )
    async def page(
        request: ApiRequest,
        states: Annotated[
            list[str] | None, QueryParameter(name="state", description="E.g. running; repeatable.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> SweepPage:
        query = SweepQuery(states=_states(states or ()), after=cursor or None, limit=limit)
        found, following = await operations.sweep_page(request.user, query)
        return SweepPage(items=[render_sweeps.sweep(one) for one in found], next=following)

    @get(
        "/sweeps/{id:str}",
        operation_id="get_sweep",
        summary="A sweep as it is now, or once it is over",
        opt={"problems": (404, 422, 503)},
    )
    async def one(
        request: ApiRequest,
        id: FromPath[str],
        wait: Annotated[
            float, QueryParameter(ge=0, description="Answer once it is over, but after so many seconds (60) at most.")
        ] = 0,
    ) -> SweepDocument:
        waits = operations.sweep(request.user, id, wait=min(wait, waiting.MAX_WAIT))
        found = await waiting.until(closing, waits) or await operations.sweep(request.user, id)
        return render_sweeps.status(found)

    @get(
        "/sweeps/{id:str}/events",
        operation_id="list_sweep_events",
        summary="What has happened to a sweep itself; its activities have their own events",
        opt={"problems": (404, 422, 503)},
    )
    async def history(
        request: ApiRequest,
        id: FromPath[str],
        after: AfterSeq = 0,
        limit: Limit = 1000,
    ) -> SweepEventPage:
        events = await operations.sweep_events(request.user, id, after=after, limit=limit)
        return SweepEventPage(items=[render_sweeps.event(event) for event in events])

    @get(
        "/sweeps/{id:str}/stream",
        operation_id="stream_sweep",
        summary="What happens to a sweep itself, as it happens, until it is over (server-sent events)",
        opt={"answers": {200: EVENT_STREAM}, "headers": ("Last-Event-ID",), "problems": (404, 422, 503)},
    )
    async def stream(
        request: ApiRequest, id: FromPath[str], after: After = None, last_event_id: LastEventId = None
    ) -> ASGIApp:
        await operations.sweep(request.user, id)
        begin = resume(request, last_event_id, after) or 0
        source = operations.stream_sweep(request.user, id, after=begin)
        return Answer(200, STREAM_HEADERS, waiting.frames(source, closing, rendered=render_sweeps.event, after=begin))

    @get(
        "/sweeps/{id:str}/description",
        operation_id="get_sweep_description",
        summary="What was asked for, in its own language",
        opt={"answers": {200: (SweepDescription, *bodies.media_types()[1:])}, "problems": (404, 503)},
    )
    async def description(request: ApiRequest, id: FromPath[str]) -> Response[bytes]:
        found = await operations.sweep_document(request.user, id)
        return Response(found.data, media_type=registry.language(found.language).media_types[0])

    return [page, one, history, stream, description]


def _acting(operations: Operations) -> list[HTTPRouteHandler]:
    @post(
        "/sweeps/{id:str}/hold",
        status_code=200,
        operation_id="hold_sweep",
        summary="Make no more of its activities until it is released; those that are there go on",
        opt={"problems": (404, 409, 503)},
    )
    async def hold(request: ApiRequest, id: FromPath[str]) -> SweepDocument:
        return render_sweeps.sweep(await operations.hold_sweep(request.user, id))

    @post(
        "/sweeps/{id:str}/release",
        status_code=200,
        operation_id="release_sweep",
        summary="Go on with a sweep that is held",
        opt={"problems": (404, 409, 503)},
    )
    async def release(request: ApiRequest, id: FromPath[str]) -> SweepDocument:
        return render_sweeps.sweep(await operations.release_sweep(request.user, id))

    @post(
        "/sweeps/{id:str}/terminate",
        status_code=202,
        operation_id="terminate_sweep",
        summary="Make no more of its activities, and begin to end those that are there",
        opt={"problems": (404, 409, 503)},
    )
    async def terminate(request: ApiRequest, id: FromPath[str]) -> SweepDocument:
        return render_sweeps.sweep(await operations.terminate_sweep(request.user, id))

    @delete(
        "/sweeps/{id:str}",
        status_code=204,
        operation_id="purge_sweep",
        summary="Remove a sweep that has ended with all its activities; 202 where that takes long, and goes on",
        opt={"answers": {202: None, 204: None}, "problems": (404, 409, 503)},
    )
    async def purge(
        request: ApiRequest,
        id: FromPath[str],
        terminate: Annotated[bool, QueryParameter(description="End it first where it has not ended.")] = False,
    ) -> Response[None]:
        gone = await operations.purge_sweep(request.user, id, terminate=terminate, wait=waiting.MAX_WAIT / 2)
        return Response(None, status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    return [hold, release, terminate, purge]


def _states(names: list[str] | tuple[str, ...]) -> tuple[SweepState, ...]:
    found: list[SweepState] = []
    for name in names:
        those = [state for state in SweepState if state == name or state.startswith(name + ":")]
        if not those:
            known = listed(SweepState, name)
            raise InvalidInput(f"{name!r} is no state of a sweep; write one of {known}", element="state")
        found += those
    return tuple(found)
