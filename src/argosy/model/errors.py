"""Every error of Argosy, for the reader.

    ArgosyError                      code, message, element
    ├── InvalidInput                 what was asked for is wrong; says which element and what would be right
    │   └── InvalidJobException      the same, of a job (PSI/J)
    ├── InvalidStateException        the request does not fit the present state (PSI/J)
    ├── SubmitException              the batch system did not take a request; `transient` says whether to retry (PSI/J)
    ├── NotFound                     no such thing, or not yours: both answer alike
    ├── NotAllowed                   the caller is known, and may not do this
    ├── Conflict                     the same key with other content, or a newer version exists
    │   └── PreconditionFailed       what is there is not what the request was made for
    ├── LimitExceeded                a published limit was reached
    │   ├── NoRoom                   a quota of bytes was reached
    │   └── TooLarge                 one request is more than a published limit allows, whenever it is sent
    └── Unavailable                  something outside is away for now; nothing is lost, try again

`code` is machine-readable and stable; the message is a sentence that says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class ArgosyError(Exception):
    """Base of all errors. `element` is the path of the field at fault, e.g. ``resources.memory``; `retry_after` the
    seconds after which the same request may succeed, where that can be said."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, element: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.element = element
        self.retry_after = retry_after


class InvalidInput(ArgosyError):
    """What was asked for is wrong; nothing was recorded."""

    code = "invalid-input"


class InvalidJobException(InvalidInput):
    """The information contained in a job is wrong (PSI/J, InvalidJobException)."""

    code = "invalid-job"

    def __init__(self, message: str, exception: Exception | None = None, *, element: str | None = None) -> None:
        super().__init__(message, element=element)
        self.exception = exception


class InvalidStateException(ArgosyError):
    """The request does not fit the present state (PSI/J, InvalidStateException)."""

    code = "invalid-state"


class SubmitException(ArgosyError):
    """The batch system did not take a request, for a reason that is not the job's (PSI/J, SubmitException).

    `transient` is true where the same request may succeed later.
    """

    code = "submit-failed"

    def __init__(
        self,
        message: str,
        exception: Exception | None = None,
        transient: bool = False,
        *,
        element: str | None = None,
    ) -> None:
        super().__init__(message, element=element)
        self.exception = exception
        self.transient = transient


class NotFound(ArgosyError):
    """There is no such thing here, or it is not yours to see; the two answer alike."""

    code = "not-found"


class NotAllowed(ArgosyError):
    """The caller is known, and may not do this."""

    code = "not-allowed"


class Conflict(ArgosyError):
    """What is recorded contradicts the request."""

    code = "conflict"


class PreconditionFailed(Conflict):
    """What is there is not what the request was made for; nothing was changed."""

    code = "precondition-failed"


class LimitExceeded(ArgosyError):
    """A published limit was reached."""

    code = "limit-exceeded"


class NoRoom(LimitExceeded):
    """A quota of bytes was reached; remove something, or ask the administrator."""

    code = "no-room"


class TooLarge(LimitExceeded):
    """One request is more than a published limit allows. Sent again it still is; in parts it may not be."""

    code = "too-large"


class Unavailable(ArgosyError):
    """Something outside is away for now. Nothing is lost; the same request may succeed later.

    The message carries the outside system's own words.
    """

    code = "unavailable"
