"""Restarting over HTTP, one and many."""

from __future__ import annotations

from typing import Annotated

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from argosy.languages.documents import ActivityDocument, Result
from argosy.model import ArgosyError
from argosy.service.administration.limits import Limits
from argosy.service.contract import Operations

from . import bodies, each, render
from .parameter_types import ApiRequest

Over = Annotated[
    bool, QueryParameter(description="You know that a job that was lost sight of is over, and does not run twice.")
]


def restart_routes(operations: Operations, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes that let failed activities go on."""

    @post(
        "/activities/{id:str}/restart",
        status_code=200,
        operation_id="restart_activity",
        summary="Let a failed activity go on from the stage that failed",
        opt={"problems": (404, 409, 422, 503)},
    )
    async def restart(request: ApiRequest, id: FromPath[str], over: Over = False) -> ActivityDocument:
        (restarted,) = await operations.restart(request.user, [id], over=over)
        if isinstance(restarted, ArgosyError):
            raise restarted
        return render.activity(restarted)

    @post(
        "/activities/restart",
        status_code=200,
        operation_id="restart_activities",
        summary="Let failed activities go on; each is answered in its place",
        opt={"body": list[str], "problems": (400, 413, 415, 422, 429, 503)},
    )
    async def restart_many(request: ApiRequest, over: Over = False) -> list[Result]:
        bodies.check_type(request.headers.get("content-type", ""))
        ids = each.ids(await request.body(), limits.vector)
        answers = await operations.restart(request.user, ids.good, over=over)
        return [render.result(found) for found in ids.answered(answers)]

    return [restart, restart_many]
