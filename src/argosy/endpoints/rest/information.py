"""What the service is, and where jobs may go."""

from __future__ import annotations

import time

from litestar import Request, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from argosy.languages import registry
from argosy.languages.documents import (
    ElementDocument,
    EnvironmentDocument,
    LanguageDocument,
    ServiceDocument,
    ShareDocument,
)
from argosy.service.caller import Caller
from argosy.service.contract import Operations

from . import render

InformationRequest = Request[Caller, None, State]


def information_routes(operations: Operations, *, name: str, version: str) -> list[HTTPRouteHandler]:
    """The routes of the service itself."""

    @get("/", operation_id="get_service", summary="The service", opt={"problems": (503,)})
    async def service(request: InformationRequest) -> ServiceDocument:
        offered = await operations.shares(request.user)
        return ServiceDocument(
            name=name, version=version, time=render.utc(time.time()), shares=[render.share(one) for one in offered]
        )

    @get("/shares", operation_id="list_shares", summary="Where jobs may go", opt={"problems": (503,)})
    async def shares(request: InformationRequest) -> list[ShareDocument]:
        return [render.share(one) for one in await operations.shares(request.user)]

    @get("/environments", operation_id="list_environments", summary="Runtime environments", opt={"problems": (503,)})
    async def environments(request: InformationRequest) -> list[EnvironmentDocument]:
        return [render.environment(one) for one in await operations.environments(request.user)]

    @get(
        "/languages",
        operation_id="list_languages",
        summary="The languages that descriptions are taken in, and what is understood of each",
    )
    async def languages() -> list[LanguageDocument]:
        return [
            LanguageDocument(
                name=one.name,
                media_types=list(one.media_types),
                elements=[
                    ElementDocument(name=element.name, support=str(element.support), meaning=element.meaning)
                    for element in one.elements()
                ],
            )
            for one in registry.languages()
        ]

    return [service, shares, environments, languages]
