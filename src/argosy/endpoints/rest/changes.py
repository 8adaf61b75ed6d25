"""Changing the status of activities over HTTP (GES 3.1.3, 3.1.4)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from argosy.languages.documents import ActivityDocument, ChangeDocument, ChangeElement, Result
from argosy.model import ArgosyError
from argosy.service.administration.limits import Limits
from argosy.service.contract import ChangeRequest, Operations

from . import bodies, each, render
from .parameter_types import ApiRequest

Wait = Annotated[
    float,
    QueryParameter(ge=0, le=60, description="Answer once it has come about, but after so many seconds at most."),
]

_one = msgspec.json.Decoder(ChangeDocument)
_of_many = msgspec.json.Decoder(ChangeElement)
#: How long an answer waits for the batch system where the request says nothing, in seconds.
WAIT = 10.0


def change_routes(operations: Operations, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes that change the status of activities."""

    @post(
        "/activities/{id:str}/state",
        status_code=200,
        operation_id="change_activity",
        summary="Hold, release, suspend or resume an activity, start or terminate it; 202 where that is still to come",
        opt={
            "body": ChangeDocument,
            "answers": {200: ActivityDocument, 202: ActivityDocument},
            "problems": (400, 404, 409, 415, 422, 503),
        },
    )
    async def change(request: ApiRequest, id: FromPath[str], wait: Wait = WAIT) -> Response[ActivityDocument]:
        bodies.check_type(request.headers.get("content-type", ""))
        asked = bodies.decode(await request.body(), _one)
        (answer,) = await operations.change(request.user, [ChangeRequest(id, asked.action, asked.state)], wait=wait)
        if isinstance(answer, ArgosyError):
            raise answer
        document = render.activity(answer)
        status = HTTPStatus.OK if document.asked is None else HTTPStatus.ACCEPTED
        return Response(document, status_code=status, headers={"ETag": f'"{document.version}"'})

    @post(
        "/activities/actions",
        status_code=200,
        operation_id="change_activities",
        summary="Change the status of many activities, each as it says; each is answered in its place",
        opt={"body": list[ChangeElement], "problems": (400, 413, 415, 422, 503)},
    )
    async def change_many(request: ApiRequest, wait: Wait = WAIT) -> list[Result]:
        bodies.check_type(request.headers.get("content-type", ""))
        asked = each.elements(await request.body(), _of_many, limits.vector)
        requests = [ChangeRequest(one.id, one.action, one.state) for one in asked.good]
        answers = await operations.change(request.user, requests, wait=wait)
        return [render.result(answer) for answer in asked.answered(answers)]

    return [change, change_many]
