"""Which media type an answer is wanted in (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from http import HTTPStatus

from .problems import HttpError

JSON = "application/json"
XML = "application/xml"

_NAMES = {
    "application/json": JSON,
    "application/xml": XML,
    "text/xml": XML,
    "*/*": JSON,
    "application/*": JSON,
    "text/*": XML,
}


def preferred(accept: str | None, offered: tuple[str, ...] = (JSON, XML)) -> str:
    """The media type, of those offered, that an Accept header likes most; the first one where it says nothing.

    Raises HttpError (406) where it likes none of them.
    """
    if not accept or not accept.strip():
        return offered[0]
    best: tuple[float, int] | None = None
    chosen = None
    for place, part in enumerate(accept.split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        known = _NAMES.get(name)
        if known not in offered and name.endswith("/*"):
            known = offered[0]
        weight = _weight(parameters)
        if known in offered and weight > 0 and (best is None or (weight, -place) > best):
            best, chosen = (weight, -place), known
    if chosen is None:
        raise HttpError(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", f"the answer can be had as {' or '.join(offered)}")
    return chosen


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
