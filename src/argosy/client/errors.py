"""What the service refused, as the errors that it meant; and when to try again."""

from __future__ import annotations

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
    PreconditionFailed,
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
        PreconditionFailed,
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
    412: PreconditionFailed,
    413: TooLarge,
    415: InvalidInput,
    422: InvalidInput,
    429: LimitExceeded,
    507: NoRoom,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}

#: The pauses before a request is sent again, in seconds; the last one goes on.
_PAUSES = (0.1, 0.4, 1.0)
#: How often a service that has never answered is tried again at most: it may be that there is none.
_FIRST_CONTACT = 3

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


class Patience:
    """How long one request, or one stream, is tried again: `retries` times in a row where the connection fails, and
    where the service says when to ask again, as long as that is within `waiting` seconds in all.

    `where` is the service's address, for people; `known` whether it has answered before.
    """

    def __init__(self, retries: int, waiting: float, where: str, *, known: bool) -> None:
        self._all = retries
        self._retries = retries if known else min(retries, _FIRST_CONTACT)
        self._waiting = self._left = waiting
        self._where = where
        self._cuts = 0

    def renew(self) -> None:
        """The service has answered: what fails after that is the first again."""
        self._cuts = 0
        self._retries = self._all
        self._left = self._waiting

    def after(
        self, error: ArgosyError | httpx.TransportError, *, idempotent: bool = True, spent: bool = False
    ) -> float:
        """How long to wait before the same is sent again, in seconds. Raises what its sender is told where it is not:
        what cannot safely be done twice is sent again only where it has not been done, what is `spent` never.
        """
        if isinstance(error, ArgosyError):
            self._retries = self._all  # it has answered
            pause = None if spent else _told_pause(error, idempotent=idempotent)
            if pause is None or pause > self._left:
                raise error
            self._left -= pause
            return pause
        never_arrived = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
        if spent or not (idempotent or never_arrived) or self._cuts >= self._retries:
            raise unreachable(error, self._where) from None
        self._cuts += 1
        return _PAUSES[min(self._cuts, len(_PAUSES)) - 1]


def _told_pause(error: ArgosyError, *, idempotent: bool) -> float | None:
    # What was refused for a limit has not been done; of what was unavailable that is not known.
    if isinstance(error, LimitExceeded) or (idempotent and isinstance(error, Unavailable)):
        return error.retry_after
    return None


def unreachable(error: httpx.TransportError, where: str) -> ServiceUnreachable:
    """The error of a connection that failed. A fault of the request itself is not quoted: it may be in a secret."""
    words = "the request cannot be sent" if isinstance(error, httpx.LocalProtocolError) else str(error)
    return ServiceUnreachable(f"no service answers at {where} ({words or type(error).__name__})")
