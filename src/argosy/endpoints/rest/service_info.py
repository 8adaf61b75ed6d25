"""The service in GLUE 2 over HTTP (GES 3.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.response import Stream

from argosy.endpoints.peer import PEER
from argosy.identity import SocketPeer
from argosy.languages import registry
from argosy.languages.looks import (
    ActionsDocument,
    CapabilitiesDocument,
    LanguageOffered,
    ModelOffered,
    SchemeDocument,
    StagingDocument,
)
from argosy.model.projections import MODELS
from argosy.service.contract import Operations
from argosy.service.information.capabilities import CHECKSUMS, Capabilities
from argosy.service.information.inquiry import WAYS, Extent
from argosy.service.information.monitoring import Verbosity
from argosy.service.information.published import Published
from argosy.service.information.statuses import has_xml

from .negotiation import XML, preferred
from .parameter_types import ApiRequest


def service_info_routes(operations: Operations) -> list[HTTPRouteHandler]:
    """``GET /v1/service``."""

    @get(
        "/service",
        operation_id="get_service_information",
        summary="The service in GLUE 2: endpoints, shares, managers, nodes, policies, and its activities if asked for",
        opt={"answers": {200: (dict[str, list[dict[str, Any]]], XML)}, "problems": (406, 422, 503)},
    )
    async def service_information(
        request: ApiRequest,
        verbosity: Annotated[
            Literal["basic", "medium", "full"],
            QueryParameter(description="basic; medium: with the ids of activities; full: with the activities."),
        ] = "basic",
        model: Annotated[Literal["glue2"], QueryParameter(description="The information model.")] = "glue2",
    ) -> Stream:
        del model
        wanted = preferred(request.headers.get("accept"))
        document = await operations.information(request.user, Extent(verbosity), _here(operations, request))
        content = document.xml() if wanted == XML else document.json()
        return Stream(content, media_type=wanted, headers={"Vary": "Accept", "Cache-Control": "private, no-cache"})

    @get(
        "/capabilities",
        operation_id="get_capabilities",
        summary="What can be asked of the service: languages, information models, staging, actions",
        opt={"problems": (503,)},
    )
    async def capabilities(request: ApiRequest) -> CapabilitiesDocument:
        return _capabilities(await operations.capabilities(request.user))

    return [service_information, capabilities]


def _capabilities(found: Capabilities) -> CapabilitiesDocument:
    return CapabilitiesDocument(
        languages=[LanguageOffered(name=one.name, media_types=list(one.media_types)) for one in registry.languages()],
        models=[ModelOffered(name=one.name, source=one.source, xml=has_xml(one)) for one in MODELS.values()],
        verbosities=[verbosity.value for verbosity in Verbosity],
        service_models=["glue2"],
        staging=StagingDocument(
            ways=list(WAYS),
            schemes=[
                SchemeDocument(
                    scheme=one.scheme,
                    fetch=one.fetch,
                    push=one.push,
                    directories=one.directories,
                    missing=one.missing,
                )
                for one in found.staging
            ],
            checksums=list(CHECKSUMS),
        ),
        resources=[
            ActionsDocument(resource=one.resource, system=one.system, actions=list(one.actions))
            for one in found.resources
        ],
    )


def _here(operations: Operations, request: ApiRequest) -> Published:
    """How the service is reached: as it says itself, else as this request has reached it."""
    published = operations.published
    asked = "" if isinstance(request.scope.get(PEER), SocketPeer) else str(request.base_url).rstrip("/")
    base = operations.about.url or asked or published.address
    return replace(published, interfaces=tuple(replace(one, url=base + one.url) for one in published.interfaces))
