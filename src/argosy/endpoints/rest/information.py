"""What the service is, and where jobs may go."""

from __future__ import annotations

import time

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from argosy.languages import registry
from argosy.languages.contract import Language
from argosy.languages.documents import (
    ElementDocument,
    EnvironmentDocument,
    LanguageDocument,
    LimitsDocument,
    ServiceDocument,
    ShareDocument,
    TimesDocument,
)
from argosy.model import NotFound
from argosy.model.choices import listed
from argosy.service.administration.limits import Limits
from argosy.service.contract import Operations
from argosy.service.policy import ServicePolicy

from . import render
from .parameter_types import ApiRequest


def information_routes(operations: Operations, limits: Limits, *, name: str, version: str) -> list[HTTPRouteHandler]:
    """The routes of the service itself."""

    @get("/", operation_id="get_service", summary="The service", opt={"problems": (503,)})
    async def service(request: ApiRequest) -> ServiceDocument:
        offered = await operations.shares(request.user)
        return ServiceDocument(
            name=name,
            version=version,
            time=render.utc(time.time()),
            shares=[render.share(one) for one in offered],
            limits=_limits(limits, operations.policy),
            times=msgspec.convert(operations.policy, TimesDocument, from_attributes=True),
            notice=operations.notice,
        )

    @get("/shares", operation_id="list_shares", summary="Where jobs may go", opt={"problems": (503,)})
    async def shares(request: ApiRequest) -> list[ShareDocument]:
        return [render.share(one) for one in await operations.shares(request.user)]

    @get("/environments", operation_id="list_environments", summary="Runtime environments", opt={"problems": (503,)})
    async def environments(request: ApiRequest) -> list[EnvironmentDocument]:
        return [render.environment(one) for one in await operations.environments(request.user)]

    @get(
        "/languages",
        operation_id="list_languages",
        summary="The languages that descriptions are taken in, and what is understood of each",
    )
    async def languages() -> list[LanguageDocument]:
        return [_language(one) for one in registry.languages()]

    @get(
        "/languages/{name:str}",
        operation_id="get_language",
        summary="One language: which of its elements are mandatory, optional (understood) and unsupported",
        opt={"problems": (404,)},
    )
    async def language(name: FromPath[str]) -> LanguageDocument:
        found = next((one for one in registry.languages() if one.name == name.lower()), None)
        if found is None:
            known = [one.name for one in registry.languages()]
            raise NotFound(f"there is no language {name!r}; there are {listed(known, name)}")
        return _language(found)

    return [service, shares, environments, languages, language]


def _language(one: Language) -> LanguageDocument:
    return LanguageDocument(
        name=one.name,
        media_types=list(one.media_types),
        elements=[
            ElementDocument(name=element.name, support=str(element.support), meaning=element.meaning)
            for element in one.elements()
        ],
    )


def _limits(limits: Limits, policy: ServicePolicy) -> LimitsDocument:
    return LimitsDocument(
        **msgspec.to_builtins(limits),
        sweep=policy.sweep_limit,
        sweep_window=policy.sweep_window_limit,
        session_bytes=policy.session_quota,
        sessions_bytes=policy.sessions_quota,
    )
