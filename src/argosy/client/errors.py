"""What the service refused, as the errors that it meant; and when to try again."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec

from argosy.languages.documents import Problem
from argosy.model import (
    ArgosyError,
    Conflict,
    InvalidInput,
    InvalidJobException,
    InvalidStateException,
    LimitExceeded,
    NoRoom,
    NotAllowed,
    NotFound,
    SubmitException,
    TooLarge,
    Unavailable,
)


class ServiceUnreachable(Unavailable):
    """No service answers at its address."""


class NotAuthenticated(ArgosyError):
    """The service does not know us by this token."""

    code = "not-authenticated"


_BY_CODE: dict[str, type[ArgosyError]] = {
    kind.code: kind
    for kind in (
        Conflict,
        InvalidInput,
        InvalidJobException,
        InvalidStateException,
        LimitExceeded,
        NoRoom,
        NotAllowed,
        NotAuthenticated,
        NotFound,
        SubmitException,
        TooLarge,
        Unavailable,
    )
}
#: For answers without a code of ours, as proxies give them.
_BY_STATUS: dict[int, type[ArgosyError]] = {
    400: InvalidInput,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: InvalidInput,
    422: InvalidInput,
    429: LimitExceeded,
    507: NoRoom,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}

#: The pauses before a request is sent again, in seconds.
PAUSES = (0.1, 0.4, 1.0)

_decoder = msgspec.json.Decoder(Problem)


def from_problem(problem: Problem) -> ArgosyError:
    """The error that a problem document is about."""
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(problem.status, ArgosyError)
    return kind(problem.detail, element=problem.element)


def from_response(response: httpx.Response) -> ArgosyError:
    """The error that an answer of 400 or more is about; its body must have been read."""
    try:
        error = from_problem(_decoder.decode(response.content))
    except msgspec.MsgspecError:
        kind = _BY_STATUS.get(response.status_code, ArgosyError)
        error = kind(f"{response.request.url} answered {response.status_code} {response.reason_phrase}")
    after = response.headers.get("retry-after", "")
    if after.isascii() and after.isdigit() and len(after) < 10:  # it may be a date too, which our service never sends
        error.retry_after = float(after)
    return error


def worth_waiting_for(error: ArgosyError, *, idempotent: bool, left: float) -> float | None:
    """How long to wait before the same request is sent again, where the service said so and `left` seconds are enough.

    What was refused for a limit has not been done; of what was unavailable that is not known.
    """
    after = error.retry_after
    if after is None or after > left or not (isinstance(error, LimitExceeded) or idempotent):
        return None
    return after if isinstance(error, (LimitExceeded, Unavailable)) else None


def unreachable(error: httpx.TransportError, where: str) -> ServiceUnreachable:
    """The error of a connection that failed."""
    return ServiceUnreachable(f"no service answers at {where} ({str(error) or type(error).__name__})")


def may_repeat(error: httpx.TransportError, *, idempotent: bool) -> bool:
    """Whether to send a request again: where it never arrived, or where doing it twice does no more than once."""
    return idempotent or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))


def pauses(retries: int) -> Iterator[float]:
    """The pauses of `retries` repetitions."""
    return iter([PAUSES[min(index, len(PAUSES) - 1)] for index in range(retries)])
