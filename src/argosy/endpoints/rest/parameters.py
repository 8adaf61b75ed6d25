"""Parameters of addresses that mean nothing there: refused, so that nobody takes a slip of the pen for a filter."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from argosy.languages.faults import invalid
from argosy.model import InvalidInput
from argosy.model.choices import listed, shown

from .problems import HttpError

#: Those that begin so are nobody's: clients add them to get past caches between them and us (jQuery's ``_=TIME``).
_IGNORED = "_"


async def check_parameters(request: Request[Any, Any, Any]) -> None:
    """Refuse a request with a query parameter that its handler does not take."""
    query = request.scope["query_string"]
    if query:
        check_query(query, taken(request.route_handler))


def check_query(query: bytes, known: Iterable[str]) -> None:
    """Raise HttpError (400) for the first parameter that is none of `known`."""
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known and not name.startswith(_IGNORED):
            raise _unknown(name, sorted(known))


@functools.lru_cache(maxsize=1024)
def taken(handler: HTTPRouteHandler) -> frozenset[str]:
    """The query parameters that a handler takes."""
    return frozenset(
        asked.name or name
        for name, one in handler.parsed_fn_signature.parameters.items()
        if isinstance(asked := one.kwarg_definition, QueryParameter)
    )


def in_words(error: InvalidInput, handler: HTTPRouteHandler) -> InvalidInput:
    """What Litestar found wrong with a parameter; where one of few words is right, with all of them."""
    for name, one in handler.parsed_fn_signature.parameters.items():
        asked = one.kwarg_definition
        if isinstance(asked, QueryParameter) and (asked.name or name) == error.element:
            return InvalidInput(invalid(msgspec.ValidationError(error.message), one.raw).message, element=error.element)
    return error


def _unknown(name: str, known: list[str]) -> HttpError:
    there = f"it takes {listed(known, name)}" if known else "it takes none"
    error = HttpError(
        HTTPStatus.BAD_REQUEST,
        "unknown-parameter",
        f"this address has no parameter {shown(name)!r}; {there}",
    )
    error.element = shown(name)
    return error
