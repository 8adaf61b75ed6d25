"""Activities over HTTP: list, look, start, terminate."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from argosy.languages.documents import ActivityDocument, ActivityPage, Result
from argosy.languages.native import Description
from argosy.model import InvalidInput
from argosy.model.notification import check_state
from argosy.model.projections import GES, MODELS, information_model
from argosy.service.administration.limits import Limits
from argosy.service.contract import Operations, Query
from argosy.service.files.conditions import tagged
from argosy.service.information.monitoring import Verbosity
from argosy.service.information.statuses import has_xml

from . import bodies, each, monitoring, render, waiting
from .negotiation import XML, preferred
from .parameter_types import ApiRequest, Cursor, Instant, Limit, instant
from .vectors import only

#: Words for several states: those that are not final, and those that are.
_GROUPS = {"active": ("pending", "running"), "final": ("finished", "failed", "terminated")}

Text = Annotated[str | None, QueryParameter()]
HowMuch = Annotated[
    Literal["basic", "detailed", "full"],
    QueryParameter(description="basic: the state; detailed: the record; full: with history, times, description."),
]
Model = Annotated[str, QueryParameter(description="The information model.", schema_extra={"enum": list(MODELS)})]

#: What is told differently to different callers for each question, and changes with time.
_VARY = {"Vary": "Accept", "Cache-Control": "private, no-cache"}


def activity_routes(operations: Operations, closing: asyncio.Event, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes under ``/activities``, apart from those that make them, files and events."""
    return [*_listing(operations), *_looking(operations, closing, limits), *_acting(operations)]


def _listing(operations: Operations) -> list[HTTPRouteHandler]:
    @get(
        "/activities",
        operation_id="list_activities",
        summary="Activities, newest first",
        opt={"problems": (422, 503)},
    )
    async def page(
        request: ApiRequest,
        states: Annotated[
            list[str] | None,
            QueryParameter(name="state", description="E.g. running, running:lrms, active, final; repeatable."),
        ] = None,
        tags: Annotated[
            list[str] | None, QueryParameter(name="tag", description="KEY:VALUE; repeatable, all must hold.")
        ] = None,
        name: Text = None,
        resource: Text = None,
        owner: Annotated[
            str | None, QueryParameter(description="For operators: of this owner; * is everybody's. Default: yours.")
        ] = None,
        sweep: Annotated[str | None, QueryParameter(description="Only the activities of this sweep.")] = None,
        created_from: Instant = None,
        created_before: Instant = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> ActivityPage:
        query = Query(
            states=_states(states or ()),
            tags=_tags(tags or ()),
            name=name,
            resource=resource,
            owner=owner,
            sweep=sweep,
            created_from=instant(created_from, "created_from"),
            created_before=instant(created_before, "created_before"),
            limit=limit,
            after=cursor or None,
        )
        records, following = await operations.page(request.user, query)
        return ActivityPage(items=[render.activity(record) for record in records], next=following)

    return [page]


def _looking(operations: Operations, closing: asyncio.Event, limits: Limits) -> list[HTTPRouteHandler]:
    @post(
        "/activities/status",
        status_code=200,
        operation_id="status_of_activities",
        summary="Many activities as they are now; each is answered in its place",
        opt={
            "body": list[str],
            "answers": {200: (list[Result], XML)},
            "problems": (400, 406, 413, 415, 422, 429, 503),
        },
    )
    async def statuses(
        request: ApiRequest, verbosity: HowMuch = "detailed", model: Model = "ges"
    ) -> list[Result] | Response[bytes]:
        bodies.check_type(request.headers.get("content-type", ""))
        ids = each.ids(await request.body(), limits.vector)
        projection = information_model(model)
        if preferred(request.headers.get("accept")) == XML:
            here = str(request.base_url).rstrip("/") + "/v1"
            return Response(
                await monitoring.xml_results(operations, request.user, ids, projection, here),
                media_type=XML,
                headers=_VARY,
            )
        return await monitoring.results(operations, request.user, ids, Verbosity(verbosity), projection)

    @get(
        "/activities/{id:str}",
        operation_id="get_activity",
        summary="An activity as it is now, or once it has changed",
        opt={
            "answers": {200: (ActivityDocument, XML), 304: None},
            "headers": ("If-None-Match",),
            "problems": (404, 406, 422, 503),
        },
    )
    async def one(
        request: ApiRequest,
        id: FromPath[str],
        wait: Annotated[
            float, QueryParameter(ge=0, description="Answer once it is final, but after so many seconds (60) at most.")
        ] = 0,
        version: Annotated[
            int | None, QueryParameter(description="With wait: answer as soon as its version is another.")
        ] = None,
        verbosity: HowMuch = "detailed",
        model: Model = "ges",
    ) -> Response[ActivityDocument | bytes | None]:
        projection = information_model(model)
        wanted = preferred(request.headers.get("accept"))
        if wanted == XML and not has_xml(projection):
            raise monitoring.no_xml(projection)
        record = await waiting.changed(operations, request.user, id, version=version, wait=wait, closing=closing)
        if wanted == XML:
            content = await monitoring.xml(operations, request.user, record, Verbosity(verbosity), projection)
            return Response(content, media_type=XML, headers=_VARY)
        if verbosity != "detailed" or projection is not GES:
            document = await monitoring.document(operations, request.user, record, Verbosity(verbosity), projection)
            return Response(document, headers=_VARY)
        headers = {"ETag": f'"{record.version}"', "Cache-Control": "private, no-cache"}
        if tagged(request.headers.get("if-none-match", ""), headers["ETag"], weak=True):
            return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(render.activity(record), headers=headers)

    @get(
        "/activities/{id:str}/description",
        operation_id="get_description",
        summary="What was asked for",
        opt={"problems": (404, 503)},
    )
    async def description(request: ApiRequest, id: FromPath[str]) -> Description:
        return await operations.description(request.user, id)

    return [statuses, one, description]


def _acting(operations: Operations) -> list[HTTPRouteHandler]:
    @post(
        "/activities/{id:str}/start",
        status_code=200,
        operation_id="start_activity",
        summary="Let an activity go that was created held",
        opt={"problems": (404, 409, 503)},
    )
    async def start(request: ApiRequest, id: FromPath[str]) -> ActivityDocument:
        return render.activity(only(await operations.start(request.user, [id])))

    @post(
        "/activities/{id:str}/terminate",
        status_code=202,
        operation_id="terminate_activity",
        summary="Begin to end an activity; ending one that has ended changes nothing",
        opt={"problems": (404, 409, 503)},
    )
    async def terminate(request: ApiRequest, id: FromPath[str]) -> ActivityDocument:
        return render.activity(only(await operations.terminate(request.user, [id])))

    return [start, terminate]


def _states(states: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for state in states:
        meant = _GROUPS.get(state, (state,))
        for one in meant:
            check_state(one, "state", more=_GROUPS)
        found |= dict.fromkeys(meant)
    return tuple(found)


def _tags(tags: list[str] | tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for tag in tags:
        key, colon, value = tag.partition(":")
        if not key or not colon:
            raise InvalidInput(f"{tag!r} is no tag; write KEY:VALUE", element="tag")
        pairs.append((key, value))
    return tuple(pairs)
