"""Errors as problem documents (RFC 9457): one table from our errors to status codes, one form for all of HTTP's own."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from argosy.identity import Refused
from argosy.languages.documents import Problem
from argosy.model import (
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidStateException,
    LimitExceeded,
    NoRoom,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    SubmitException,
    TooLarge,
    Unavailable,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Malformed(InvalidInput):
    """The request's body is not what its media type says."""

    code = "malformed"


class HttpError(ArgosyError):
    """A fault of the HTTP request itself, which no operation of the service knows of."""

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem_code = code
        self.headers = dict(headers or {})


#: The status code of each error; a subclass has its parent's unless it is named itself.
STATUS: dict[type[ArgosyError], HTTPStatus] = {
    Malformed: HTTPStatus.BAD_REQUEST,
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidStateException: HTTPStatus.CONFLICT,
    Refused: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    LimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    NoRoom: HTTPStatus.INSUFFICIENT_STORAGE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    SubmitException: HTTPStatus.BAD_GATEWAY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ArgosyError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

#: The `code` of HTTP's own faults, where Litestar found them.
_HTTP_CODES: dict[int, tuple[str, str]] = {
    400: ("malformed", "the request cannot be understood"),
    401: (
        "not-authenticated",
        "no token that is known here was sent; send the service's as: Authorization: Bearer TOKEN",
    ),
    404: ("not-found", "there is nothing at this address; see /v1/openapi.json"),
    405: ("method-not-allowed", "this address does not take this method; see the Allow header"),
    413: ("too-large", "the body is larger than this address takes"),
    415: ("unsupported-media-type", "send the body as application/json"),
}


def status_of(error: ArgosyError) -> HTTPStatus:
    """The status code of an error."""
    if isinstance(error, HttpError):
        return error.status
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: ArgosyError, instance: str | None = None) -> Problem:
    """The document about an error."""
    status = status_of(error)
    return Problem(
        title=status.phrase,
        status=int(status),
        detail=error.message,
        code=error.problem_code if isinstance(error, HttpError) else error.code,
        element=error.element,
        instance=instance,
        allowed=[str(action) for action in getattr(error, "allowed", ())],
    )


def of_status(status: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> HttpError:
    """A fault of HTTP's own, by its status code."""
    known = HTTPStatus(status)
    code, sentence = _HTTP_CODES.get(
        status, (known.phrase.lower().replace(" ", "-"), known.description or known.phrase)
    )
    return HttpError(known, code, detail or sentence, headers)


def unexpected(error: BaseException) -> HttpError:
    """What is answered to an exception that nobody expected: logged here, and no word of it outside."""
    log.error("unexpected error in a request", exc_info=error)
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the service failed unexpectedly; its log says more")


def answer(error: ArgosyError, instance: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    headers = {"content-type": MEDIA_TYPE, "cache-control": "no-store"}
    status = status_of(error)
    if isinstance(error, HttpError):
        headers |= {name.lower(): value for name, value in error.headers.items()}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = "5"
    return int(status), headers, msgspec.json.encode(problem(error, instance))
