"""Parameter sweeps over HTTP: many jobs in one request, watched and ended as a whole."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.types import ASGIApp

from argosy.languages import registry
from argosy.languages.contract import MAX_BYTES
from argosy.languages.sweeps import Options
from argosy.languages.sweeps.answers import SweepDocument, SweepEventDocument, SweepEventPage, SweepPage
from argosy.languages.sweeps.document import SweepDescription
from argosy.model import InvalidInput
from argosy.model.choices import listed
from argosy.model.sweep import SweepState
from argosy.service.caller import Caller
from argosy.service.contract import Operations, Sweep, SweepEvent, SweepQuery
from argosy.service.contract import SweepDocument as Asked
from argosy.service.sweeps.contract import SweepRequest, SweepStatus

from . import bodies, render, waiting
from .events import EVENT_STREAM, STREAM_HEADERS, After, LastEventId, resume
from .problems import of_status
from .streaming import Answer

ROOT = "/v1/sweeps/"
#: The longest that a long poll waits, in seconds.
MAX_WAIT = 60.0

_Request = Request[Caller, None, State]
_Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="A submission id of yours: a repeat answers with what was made first.",
        schema_extra={"minLength": 1, "maxLength": bodies.MAX_KEY},
    ),
]
_Strict = Annotated[bool, QueryParameter(description="Hold a document in JSDL or the like to every rule of it.")]
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
        request: _Request,
        idempotency_key: _Key = None,
        strict: _Strict = False,
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
        document = rendered(made.sweep)
        document.notes = bodies.some_notes(made.notes)
        headers = {"Location": document.links["self"], "ETag": f'"{document.version}"'}
        return Response(document, status_code=200 if made.existed else 201, headers=headers)

    @get(
        "/sweeps",
        operation_id="list_sweeps",
        summary="The caller's sweeps, newest first",
        opt={"problems": (422, 503)},
    )
    async def page(
        request: _Request,
        states: Annotated[
            list[str] | None, QueryParameter(name="state", description="E.g. running; repeatable.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, QueryParameter(description="`next` of the page before.")] = None,
    ) -> SweepPage:
        query = SweepQuery(states=_states(states or ()), after=cursor, limit=limit)
        found, following = await operations.sweep_page(request.user, query)
        return SweepPage(items=[rendered(one) for one in found], next=following)

    @get(
        "/sweeps/{id:str}",
        operation_id="get_sweep",
        summary="A sweep as it is now, or once it is over",
        opt={"problems": (404, 422, 503)},
    )
    async def one(
        request: _Request,
        id: FromPath[str],
        wait: Annotated[
            float, QueryParameter(ge=0, description="Answer once it is over, but after so many seconds (60) at most.")
        ] = 0,
    ) -> SweepDocument:
        asked = asyncio.create_task(operations.sweep(request.user, id, wait=min(wait, MAX_WAIT)))
        closed = asyncio.create_task(closing.wait())
        try:
            await asyncio.wait({asked, closed}, return_when=asyncio.FIRST_COMPLETED)
            found = await asked if asked.done() else await operations.sweep(request.user, id)
        finally:
            for task in (asked, closed):
                task.cancel()
            await asyncio.gather(asked, closed, return_exceptions=True)
        return rendered_status(found)

    @get(
        "/sweeps/{id:str}/events",
        operation_id="list_sweep_events",
        summary="What has happened to a sweep itself; its activities have their own events",
        opt={"problems": (404, 422, 503)},
    )
    async def history(
        request: _Request,
        id: FromPath[str],
        after: Annotated[int, QueryParameter(ge=0, le=bodies.MAX_NUMBER)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 1000,
    ) -> SweepEventPage:
        events = await operations.sweep_events(request.user, id, after=after, limit=limit)
        return SweepEventPage(items=[_event(event) for event in events])

    @get(
        "/sweeps/{id:str}/stream",
        operation_id="stream_sweep",
        summary="What happens to a sweep itself, as it happens, until it is over (server-sent events)",
        opt={"answers": {200: EVENT_STREAM}, "problems": (404, 422, 503)},
    )
    async def stream(
        request: _Request, id: FromPath[str], after: After = None, last_event_id: LastEventId = None
    ) -> ASGIApp:
        await operations.sweep(request.user, id)
        source = operations.stream_sweep(request.user, id, after=resume(request, last_event_id, after) or 0)
        return Answer(200, STREAM_HEADERS, waiting.frames(source, closing, rendered=_event))

    @get(
        "/sweeps/{id:str}/description",
        operation_id="get_sweep_description",
        summary="What was asked for, in its own language",
        opt={"answers": {200: (SweepDescription, *bodies.media_types()[1:])}, "problems": (404, 503)},
    )
    async def description(request: _Request, id: FromPath[str]) -> Response[bytes]:
        found = await operations.sweep_document(request.user, id)
        return Response(found.data, media_type=registry.language(found.language).media_types[0])

    @post(
        "/sweeps/{id:str}/hold",
        status_code=200,
        operation_id="hold_sweep",
        summary="Make no more of its activities until it is released; those that are there go on",
        opt={"problems": (404, 409, 503)},
    )
    async def hold(request: _Request, id: FromPath[str]) -> SweepDocument:
        return rendered(await operations.hold_sweep(request.user, id))

    @post(
        "/sweeps/{id:str}/release",
        status_code=200,
        operation_id="release_sweep",
        summary="Go on with a sweep that is held",
        opt={"problems": (404, 409, 503)},
    )
    async def release(request: _Request, id: FromPath[str]) -> SweepDocument:
        return rendered(await operations.release_sweep(request.user, id))

    @post(
        "/sweeps/{id:str}/terminate",
        status_code=202,
        operation_id="terminate_sweep",
        summary="Make no more of its activities, and begin to end those that are there",
        opt={"problems": (404, 409, 503)},
    )
    async def terminate(request: _Request, id: FromPath[str]) -> SweepDocument:
        return rendered(await operations.terminate_sweep(request.user, id))

    @delete(
        "/sweeps/{id:str}",
        status_code=204,
        operation_id="purge_sweep",
        summary="Remove a sweep that has ended with all its activities; 202 where that takes long, and goes on",
        opt={"answers": {202: None, 204: None}, "problems": (404, 409, 503)},
    )
    async def purge(
        request: _Request,
        id: FromPath[str],
        terminate: Annotated[bool, QueryParameter(description="End it first where it has not ended.")] = False,
    ) -> Response[None]:
        gone = await operations.purge_sweep(request.user, id, terminate=terminate, wait=MAX_WAIT / 2)
        return Response(None, status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    return [create, page, one, history, stream, description, hold, release, terminate, purge]


def rendered(sweep: Sweep) -> SweepDocument:
    """A sweep as its owner sees it, its open activities counted together."""
    return _rendered(sweep, {"open": sweep.open} if sweep.open > 0 else {})


def rendered_status(status: SweepStatus) -> SweepDocument:
    """A sweep as its owner sees it, its open activities counted by their states."""
    return _rendered(status.sweep, dict(status.states))


def _rendered(sweep: Sweep, open_ones: dict[str, int]) -> SweepDocument:
    here = ROOT + sweep.id
    ended = sweep.finished + sweep.failed + sweep.terminated
    activities = f"{render.ROOT.rstrip('/')}?sweep={sweep.id}"
    counts = {
        "not-made": sweep.total - sweep.next,
        **open_ones,
        "finished": sweep.finished,
        "failed": sweep.failed,
        "terminated": sweep.terminated,
    }
    return SweepDocument(
        id=sweep.id,
        state=sweep.state.value,
        final=sweep.state.final,
        owner=sweep.owner,
        created=render.utc(sweep.created),
        changed=render.utc(sweep.changed),
        version=sweep.version,
        total=sweep.total,
        made=sweep.made,
        ended=ended,
        progress=round((ended + sweep.refused) / sweep.total, 6),
        counts={state: count for state, count in counts.items() if count},
        failures=sweep.failures,
        nonzero=sweep.nonzero,
        refused=sweep.refused,
        name=sweep.name,
        window=sweep.window,
        stop_after_failures=sweep.stop_after,
        share=sweep.share,
        reason=sweep.reason,
        ended_by=sweep.by,
        ended_at=None if sweep.final_at is None else render.utc(sweep.final_at),
        expires=None if sweep.expires is None else render.utc(sweep.expires),
        purging=sweep.purging,
        links={
            "self": here,
            "events": here + "/events",
            "stream": here + "/stream",
            "description": here + "/description",
            "activities": activities,
            "failed": activities + "&state=failed",
        },
    )


def _event(event: SweepEvent) -> SweepEventDocument:
    return SweepEventDocument(
        seq=event.seq,
        sweep=event.sweep,
        time=render.utc(event.time),
        kind=event.kind,
        state=event.state.value,
        message=event.message,
        by=event.by,
        index=event.index,
    )


def _states(names: list[str] | tuple[str, ...]) -> tuple[SweepState, ...]:
    found: list[SweepState] = []
    for name in names:
        those = [state for state in SweepState if state == name or state.startswith(name + ":")]
        if not those:
            known = listed(SweepState, name)
            raise InvalidInput(f"{name!r} is no state of a sweep; write one of {known}", element="state")
        found += those
    return tuple(found)
