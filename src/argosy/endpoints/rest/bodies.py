"""JSON bodies: strict, each fault with the element that it is in."""

from __future__ import annotations

from http import HTTPStatus
from typing import TypeVar

import msgspec

from argosy.languages.documents import BatchElement
from argosy.languages.native import invalid
from argosy.model import InvalidInput

from .problems import HttpError, Malformed

T = TypeVar("T")

#: The longest JSON body that is taken, in bytes.
MAX_JSON = 16 * 1024 * 1024
#: The longest Idempotency-Key or submission id, in characters.
MAX_KEY = 255

_raws: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_element = msgspec.json.Decoder(BatchElement)


def check_type(content_type: str) -> None:
    """Refuse a body that says it is something other than JSON. One that says nothing is taken for JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("", "application/json"):
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            f"send the body as application/json, not {kind} (curl: -H 'Content-Type: application/json')",
            {"Accept": "application/json"},
        )


def check_key(key: str | None, element: str) -> str | None:
    """A client's own submission id, without the quotes that some clients put around it."""
    if key is None:
        return None
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key or len(key) > MAX_KEY or not key.isprintable():
        raise InvalidInput(f"a submission id is 1 to {MAX_KEY} printable characters", element=element)
    return key


def decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body's value. Raises Malformed where it is no JSON, InvalidInput naming the element where it does not fit."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None


def decode_batch(data: bytes) -> list[BatchElement | InvalidInput]:
    """The elements of a batch, each by itself: one that does not fit is an error in its place."""
    elements: list[BatchElement | InvalidInput] = []
    raws = decode(data, _raws)
    for index, raw in enumerate(raws):
        try:
            element = decode(bytes(raw), _element)
            element.submission_id = check_key(element.submission_id, "submission_id")
        except InvalidInput as error:
            error.element = f"[{index}]" + (f".{error.element}" if error.element else "")
            elements.append(error)
        else:
            elements.append(element)
    return elements
