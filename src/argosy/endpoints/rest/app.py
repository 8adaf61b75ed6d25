"""The native REST endpoint as an ASGI application."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from argosy.endpoints.door import Door, read_headers
from argosy.endpoints.limiting import Callers
from argosy.model import ArgosyError, InvalidInput
from argosy.service.caller import Caller
from argosy.service.contract import Operations

from . import openapi
from .activities import activity_routes
from .administration import administration_routes
from .changes import change_routes
from .creating import creation_routes
from .credentials import credential_routes
from .events import event_routes
from .files import file_routes
from .hot import hot_path
from .information import information_routes
from .notifications import notification_routes
from .parameters import check_parameters, in_words
from .problems import answer, of_status, unexpected
from .purge import purge_routes
from .restart import restart_routes
from .service_info import service_info_routes
from .streaming import send_whole
from .sweeps import sweep_routes
from .transfers import transfer_routes
from .usage import usage_routes

AnyRequest = Request[Any, Any, State]


#: What is answered without asking who it is.
_FOR_ANYBODY = ("/v1/openapi.json", "/v1/ready")
#: The only content coding of bodies: none (RFC 9110, 8.4 and 12.5.3).
_PLAIN = "identity"


class RestApp:
    """The endpoint: ``/v1`` and what is below it.

    Who calls is decided here, before anything else; then the two busiest requests are taken the short way, all others
    through Litestar (`litestar`).
    """

    def __init__(
        self,
        operations: Operations,
        door: Door,
        *,
        name: str,
        version: str,
    ) -> None:
        self._operations = operations
        self._door = door
        self._callers = door.callers
        self._max_body = door.callers.limits.body
        self._closing = asyncio.Event()
        self.litestar = _litestar(operations, self._closing, self._callers, name=name, version=version)

    def close(self) -> None:
        """End event streams and long polls, so that the server can stop. To be called in the event loop."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI says."""
        if scope["type"] != ScopeType.HTTP:
            await self.litestar(scope, receive, send)
            return
        await self._request(scope, receive, send)

    async def _request(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = read_headers(scope)
        if scope["path"] not in _FOR_ANYBODY:
            try:
                caller = await self._door.caller(scope, headers)
            except ArgosyError as error:
                await _send_problem(error, scope, send)
                return
            except Exception as error:  # logged, and answered without a word of it
                await _send_problem(unexpected(error), scope, send)
                return
            if caller is None:
                await _send_problem(of_status(401), scope, send)
                return
            stream = _is_stream(scope)
            send = self._telling(caller.name, send)
            try:
                self._callers.enter(caller.name, stream=stream)
            except ArgosyError as error:
                await _send_problem(error, scope, send)
                return
            try:
                await self._known(caller, headers, scope, receive, send)
            finally:
                self._callers.leave(caller.name, stream=stream)
            return
        await self.litestar(scope, receive, send)

    async def _known(
        self, caller: Caller, headers: Mapping[str, str], scope: HTTPScope, receive: Receive, send: Send
    ) -> None:
        coding = headers.get("content-encoding", _PLAIN)
        if coding.lower() not in ("", _PLAIN) and scope["method"] in ("POST", "PUT"):
            words = f"send the body as it is, without the content coding {coding}"
            error = of_status(415, words, {"Accept-Encoding": _PLAIN})
            await _send_problem(error, scope, send)
            return
        hot = hot_path(scope, headers)
        if hot is not None:
            try:
                await hot(self._operations, caller, headers, scope, receive, send, self._max_body)
            except ArgosyError as error:
                await _send_problem(error, scope, send)
            except Exception as error:  # logged, and answered without a word of it
                await _send_problem(unexpected(error), scope, send)
            return
        scope["user"] = caller
        scope["auth"] = None
        await self.litestar(scope, receive, send)

    def _telling(self, name: str, send: Send) -> Send:
        """With each answer the caller is told what is left of its rate."""
        if not self._callers.limits.rate:
            return send

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._callers.headers(name)]
            await send(message)

        return telling


def make_app(operations: Operations, door: Door, *, version: str, name: str = "Argosy") -> RestApp:
    """The native REST endpoint over `operations`; `door` tells who sent a request."""
    return RestApp(operations, door, name=name, version=version)


def _is_stream(scope: HTTPScope) -> bool:
    """Whether a request may wait long and do nothing: an event stream, a file that is followed, a long poll."""
    if scope["method"] != "GET":
        return False
    path, query = scope["path"], scope["query_string"]
    if "/files/" in path:
        return b"follow=" in query
    return path == "/v1/events" or path.endswith("/stream") or b"wait=" in query


def _litestar(operations: Operations, closing: asyncio.Event, callers: Callers, *, name: str, version: str) -> Litestar:
    def handlers() -> list[HTTPRouteHandler]:
        return [
            *information_routes(operations, callers.limits, name=name, version=version),
            *service_info_routes(operations),
            *credential_routes(operations),
            *administration_routes(operations, callers),
            *creation_routes(operations, callers.limits),
            *activity_routes(operations, closing, callers.limits),
            *purge_routes(operations, callers.limits),
            *restart_routes(operations, callers.limits),
            *transfer_routes(operations),
            *change_routes(operations, callers.limits),
            *sweep_routes(operations, closing),
            *event_routes(operations, closing),
            *file_routes(operations, closing),
            *notification_routes(operations, callers.limits),
            *usage_routes(operations),
        ]

    @functools.cache
    def document() -> bytes:
        return msgspec.json.encode(openapi.document(handlers(), name=name, version=version))

    @get("/openapi.json")
    async def openapi_json() -> Response[bytes]:
        return Response(document(), media_type="application/vnd.oai.openapi+json")

    return Litestar(
        route_handlers=[Router("/v1", route_handlers=[*handlers(), openapi_json])],
        before_request=_first,
        exception_handlers={ArgosyError: _refused, HTTPException: _http_fault, Exception: _unexpected},
        openapi_config=None,
        request_max_body_size=callers.limits.body,
        logging_config=None,
        debug=False,
    )


async def _first(request: AnyRequest) -> Response[None] | None:
    """What comes before any handler. OPTIONS is answered here: Litestar's answer knows of one handler of several."""
    if request.method == "OPTIONS":
        return Response(None, status_code=204, headers={"Allow": ", ".join(_methods(request))})
    await check_parameters(request)
    return None


def _methods(request: AnyRequest) -> list[str]:
    """Those that the address of a request takes."""
    template = request.scope["path_template"]
    return sorted(
        {
            method
            for route in request.app.routes
            if route.path_format == template
            for method in getattr(route, "methods", ())
        }
    )


def _respond(error: ArgosyError, request: AnyRequest) -> Response[bytes]:
    status, headers, body = answer(error, request.scope["path"])
    return Response(body, status_code=status, headers=headers, media_type=headers["content-type"])


def _refused(request: AnyRequest, error: Exception) -> Response[bytes]:
    assert isinstance(error, ArgosyError)
    return _respond(error, request)


def _http_fault(request: AnyRequest, error: Exception) -> Response[bytes]:
    assert isinstance(error, HTTPException)
    if isinstance(error, ValidationException) and isinstance(error.extra, list) and error.extra:
        first = error.extra[0]
        fault = InvalidInput(first["message"], element=first.get("key"))
        return _respond(in_words(fault, request.route_handler), request)
    if error.status_code >= 500:
        return _respond(unexpected(error), request)
    return _respond(of_status(error.status_code, headers=error.headers), request)


def _unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    return _respond(unexpected(error), request)


async def _send_problem(error: ArgosyError, scope: HTTPScope, send: Send) -> None:
    status, headers, body = answer(error, scope["path"])
    await send_whole(send, status, headers, body)
