"""Purging over HTTP, one and many."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from argosy.languages.documents import Problem
from argosy.service.administration.limits import Limits
from argosy.service.contract import Operations

from . import bodies, each
from .parameter_types import ApiRequest
from .problems import problem

Terminate = Annotated[bool, QueryParameter(description="End first what has not ended; the answer waits for that.")]


def purge_routes(operations: Operations, limits: Limits) -> list[HTTPRouteHandler]:
    """The routes that remove activities and all that belongs to them."""

    @delete(
        "/activities/{id:str}",
        operation_id="purge_activity",
        summary="Remove an activity that has ended, with its session directory",
        opt={"problems": (404, 409, 503)},
    )
    async def purge(request: ApiRequest, id: FromPath[str], terminate: Terminate = False) -> None:
        (error,) = await operations.purge(request.user, [id], terminate=terminate)
        if error is not None:
            raise error

    @post(
        "/activities/purge",
        status_code=200,
        operation_id="purge_activities",
        summary="Remove activities that have ended; for each null, or what is wrong",
        opt={"body": list[str], "problems": (400, 413, 415, 422, 429, 503)},
    )
    async def purge_many(request: ApiRequest, terminate: Terminate = False) -> list[Problem | None]:
        bodies.check_type(request.headers.get("content-type", ""))
        ids = each.ids(await request.body(), limits.vector)
        answers = await operations.purge(request.user, ids.good, terminate=terminate)
        return [None if error is None else problem(error) for error in ids.answered(answers)]

    return [purge, purge_many]
