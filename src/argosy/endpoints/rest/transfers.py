"""What is being moved for an activity, over HTTP."""

from __future__ import annotations

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from argosy.languages.documents import TransferDocument
from argosy.service.contract import Operations

from . import render
from .parameter_types import ApiRequest


def transfer_routes(operations: Operations) -> list[HTTPRouteHandler]:
    """The route of an activity's transfers."""

    @get(
        "/activities/{id:str}/transfers",
        operation_id="list_transfers",
        summary="The files that are being moved, and have been in the stage under way",
        opt={"problems": (404, 503)},
    )
    async def transfers(request: ApiRequest, id: FromPath[str]) -> list[TransferDocument]:
        return [render.transfer(one) for one in await operations.transfers(request.user, id)]

    return [transfers]
