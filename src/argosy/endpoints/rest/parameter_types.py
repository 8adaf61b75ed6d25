"""What several routes take: the request, and parameters that mean the same in all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from litestar import Request
from litestar.datastructures import State
from litestar.params import HeaderParameter, QueryParameter

from argosy.model import InvalidInput
from argosy.service.caller import Caller

from . import bodies

ApiRequest = Request[Caller, None, State]
Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="A submission id of yours: a repeat answers with what was made first.",
        schema_extra={"minLength": 1, "maxLength": bodies.MAX_KEY},
    ),
]
Strict = Annotated[bool, QueryParameter(description="Hold a document in JSDL or the like to every rule of it.")]
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before; empty for the first one.")]
Instant = Annotated[str | None, QueryParameter(description="RFC 3339, e.g. 2024-05-01T00:00:00Z.")]
#: After the event of this number.
AfterSeq = Annotated[int, QueryParameter(ge=0, le=bodies.MAX_NUMBER)]


def instant(text: str | None, element: str) -> float | None:
    """A time in a query, in seconds since the epoch. Raises InvalidInput naming the element."""
    if text is None:
        return None
    try:
        # A + of a zone's offset that was not encoded has become a space on the way.
        instant = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time; write RFC 3339, e.g. 2024-05-01T00:00:00Z", element=element) from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
