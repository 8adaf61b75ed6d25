"""The OpenAPI 3.1 document: paths as Litestar knows them, schemas as msgspec checks them, and all problems."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from argosy.languages import documents, documents_credentials, documents_notifications, documents_usage, looks, native
from argosy.languages.sweeps import answers
from argosy.languages.sweeps import document as sweep_document

from .problems import MEDIA_TYPE

_REFERENCE = "#/components/schemas/{name}"
_TYPES: list[Any] = [
    documents.ActivityDocument,
    documents.ActivityPage,
    documents.BatchElement,
    looks.CapabilitiesDocument,
    documents.ChangeDocument,
    documents.ChangeElement,
    documents_notifications.DeadLetterDocument,
    documents_notifications.DeadLetterPage,
    documents_credentials.CredentialDocument,
    documents_credentials.DelegationDocument,
    documents_credentials.DelegationRequest,
    documents.ElementDocument,
    documents.EnvironmentDocument,
    documents.EventDocument,
    documents.EventPage,
    documents.FileDocument,
    documents.FilePage,
    documents.LanguageDocument,
    documents_notifications.NewSubscriptionDocument,
    documents_notifications.RotationDocument,
    documents_credentials.NewCredential,
    documents.Problem,
    documents.Result,
    documents.DrainDocument,
    documents.LimitsDocument,
    documents.TimesDocument,
    documents.ServiceDocument,
    documents.ReadyDocument,
    documents.ServiceStatus,
    documents.StopDocument,
    documents.ShareDocument,
    documents.SubscriptionDocument,
    documents_notifications.SubscriptionPage,
    documents.TransferDocument,
    documents_usage.UsagePage,
    documents_usage.UsageRecordDocument,
    documents_usage.UsageSumDocument,
    documents_usage.UsageSummary,
    native.Description,
    answers.SweepDocument,
    answers.SweepEventDocument,
    answers.SweepEventPage,
    answers.SweepPage,
    sweep_document.SweepDescription,
]
#: What any operation may answer: 400 is for a query parameter that means nothing there, 503 where who calls cannot be
#: found out now.
_ALWAYS = (400, 401, 403, 429, 500, 503)
#: The headers that handlers read for themselves.
_HEADERS = {
    "If-Match": "Tags, or `*`: only where it is there with one of them; otherwise 412.",
    "If-None-Match": "Tags, or `*`: only where it is not there with one of them; otherwise 304, to a change 412.",
    "If-Modified-Since": "Only where it has changed since; otherwise 304. Of no account beside If-None-Match.",
    "If-Unmodified-Since": "Only where it has not changed since; otherwise 412. Of no account beside If-Match.",
    "Range": "One range of bytes.",
    "If-Range": "A tag or a date: the whole file where it is another one by now.",
    "Last-Event-ID": "Begin after this event's `seq`; comes before `after`.",
    "X-Executable": "`true` or `1`: the file can be executed.",
}


def document(handlers: Sequence[HTTPRouteHandler], *, name: str, version: str) -> dict[str, Any]:
    """The whole document, as JSON values.

    Each handler's `opt` says what Litestar cannot read from a signature: the `body` it decodes itself, and whether it
    is `body_optional`; `answers` other than its return type; its `problems`; and the `headers` that it reads itself.
    """
    app = Litestar(
        [Router("/v1", route_handlers=handlers)], openapi_config=OpenAPIConfig(name, version), logging_config=None
    )
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    schemas = msgspec.json.schema_components(_TYPES, ref_template=_REFERENCE)[1]
    schema["components"] = {
        "schemas": schemas,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    schema["security"] = [{"token": []}]
    for route in app.routes:
        operations = schema["paths"].get(route.path_format or "/", {})
        for handler in getattr(route, "route_handlers", ()):
            for method in handler.http_methods:
                operation = operations.get(method.lower())
                if operation is not None:
                    _complete(operation, handler.opt, method)
    return schema


def _complete(operation: dict[str, Any], opt: dict[str, Any], method: str) -> None:
    if "body" in opt:
        operation["requestBody"] = {"required": not opt.get("body_optional", False), "content": _content(opt["body"])}
    operation["parameters"] = [*operation.get("parameters", ()), *(_header(name) for name in opt.get("headers", ()))]
    answers = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    for status, kind in opt.get("answers", {}).items():
        answers[str(status)] = {"description": HTTPStatus(status).phrase} | (
            {} if kind is None or method == "HEAD" else {"content": _content(kind)}
        )
    refusable = any(one["in"] in ("query", "header") for one in operation["parameters"])
    coded = method in ("POST", "PUT")
    for status in sorted(
        {*opt.get("problems", ()), *_ALWAYS, *((422,) if refusable else ()), *((415,) if coded else ())}
    ):
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
        }
    operation["responses"] = answers


def _header(name: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": False, "description": _HEADERS[name], "schema": schema}


def _content(kind: Any) -> dict[str, Any]:
    """The media types of a body: a type is JSON of it, a text a media type of bytes, a tuple either of several."""
    if isinstance(kind, tuple):
        return {name: value for one in kind for name, value in _content(one).items()}
    if isinstance(kind, str):
        return {kind: {"schema": {"type": "string"} if kind.startswith("text/") else {}}}
    return {"application/json": {"schema": msgspec.json.schema_components([kind], ref_template=_REFERENCE)[0][0]}}
