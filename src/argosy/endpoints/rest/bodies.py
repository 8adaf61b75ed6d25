"""JSON bodies: strict, each fault with the element that it is in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar

import msgspec

from argosy.languages import optional, registry
from argosy.languages.contract import MAX_BYTES, Language, check
from argosy.languages.documents import BatchElement
from argosy.languages.faults import invalid
from argosy.languages.native import Description
from argosy.model import InvalidInput, TooLarge

from .problems import HttpError, Malformed, of_status

T = TypeVar("T")

#: The longest Idempotency-Key or submission id, in characters.
MAX_KEY = 255
#: The largest number of an event, a letter and the like: what every JSON reader holds exactly, and every database.
MAX_NUMBER = (1 << 53) - 1
#: The most jobs that a document in another language may come to.
MAX_JOBS = 10_000
#: The most bytes that all jobs of a document may come to, if each were written as long as the document.
MAX_EXPANDED = 256 * 1024 * 1024
#: The most notes that are answered with.
MAX_NOTES = 100
#: How many descriptions of a vector are remembered, to be read once.
_REMEMBERED = 256
_JSON = ("", "application/json")
_HALF = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")


class _Part(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A `BatchElement` whose description is not read yet."""

    description: msgspec.Raw
    submission_id: str | None = None


_part = msgspec.json.Decoder(_Part)
_element = msgspec.json.Decoder(BatchElement)
_description = msgspec.json.Decoder(Description)


def check_type(content_type: str) -> None:
    """Refuse a body that says it is something other than JSON. One that says nothing is taken for JSON."""
    kind = kind_of(content_type)
    if kind not in _JSON:
        raise _unsupported(kind, ["application/json"])


def language_of(content_type: str) -> Language | None:
    """The language of a description, by its media type; None is our own JSON. Any other type is refused."""
    kind = kind_of(content_type)
    if kind in _JSON:
        return None
    found = registry.by_media_type(kind)
    if found is None:
        raise _unsupported(kind, media_types())
    return found


def media_types() -> list[str]:
    """What descriptions may be sent as, JSON first."""
    types = [name for one in registry.languages() for name in one.media_types]
    return sorted(types, key=lambda one: (one not in _JSON, one))


async def describe(language: Language, data: bytes, *, strict: bool) -> tuple[list[Description], list[str]]:
    """All jobs of a document in another language than ours, and its notes. Refuses what is not understood."""
    if len(data) > MAX_BYTES:
        raise of_status(413)

    def read() -> tuple[list[Description], list[str]]:
        parsed = check(language.parse(data, strict=strict))
        if parsed.count > MAX_JOBS:
            raise TooLarge(f"the document describes {parsed.count} jobs; the most in one request are {MAX_JOBS}")
        if parsed.count * len(data) > MAX_EXPANDED:
            raise TooLarge(
                f"{parsed.count} jobs of a document of {len(data)} bytes are too much for one request; send it in parts"
            )
        notes = [str(note) for note in parsed.notes]
        if parsed.expansion is not None and parsed.expansion.options.window is not None:
            notes.append("how many run at a time is not limited here; it is where the document is sent to /v1/sweeps")
        return list(parsed.descriptions), some_notes(notes)

    return await asyncio.to_thread(read)


def some_notes(notes: Sequence[str]) -> list[str]:
    """Not too many notes for an answer."""
    some = list(notes[:MAX_NOTES])
    return [*some, f"and {len(notes) - MAX_NOTES} more"] if len(notes) > MAX_NOTES else some


def kind_of(content_type: str) -> str:
    """The media type alone, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _unsupported(kind: str, types: list[str]) -> HttpError:
    return HttpError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        f"send the body as {' or '.join(types)}, not {kind} (curl: -H 'Content-Type: {types[0]}')",
        {"Accept": ", ".join(types)},
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
        raise invalid(error, decoder.type, data) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {why(data, error)}") from None


def why(data: bytes, error: Exception) -> str:
    """What a decoder says of a text; of half a surrogate pair it says that the text was cut off."""
    half = _HALF.search(data) if "truncated" in str(error) else None
    return str(error) if half is None else f"{half[0].decode()} alone is no character (RFC 8259, 8.2)"


def decode_one(data: bytes) -> tuple[Description, list[str]]:
    """A description in our own JSON, and notes on what of it is skipped."""
    try:
        description = decode(data, _description)
    except Malformed:
        raise
    except InvalidInput:
        description, notes = optional.read(data)
        return description, [str(note) for note in notes]
    if description.optional:
        description.optional = []  # all of it is understood
    return description, []


class Reading:
    """Reads the elements of a vector. Descriptions in the same words, where they are not far apart, are read once, and
    are the same object."""

    def __init__(self) -> None:
        self._known: dict[bytes, Description] = {}

    def element(self, raw: msgspec.Raw) -> tuple[Description, str | None, list[str]]:
        """The description of an element, its submission id, and notes. Raises InvalidInput naming what is wrong."""
        try:
            part = _part.decode(raw)
            words = bytes(part.description)
            description = self._known.get(words)
            if description is None:
                description = _description.decode(words)
                description.optional = []
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[words] = description
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # Something is wrong somewhere, or marked as optional: where, is told by reading all of it at once.
            element, notes = _batch_element(bytes(raw))
            return element.description, check_key(element.submission_id, "submission_id"), notes
        return description, check_key(part.submission_id, "submission_id"), []


def _batch_element(data: bytes) -> tuple[BatchElement, list[str]]:
    try:
        element = decode(data, _element)
    except InvalidInput:
        found = _marked_batch_element(data)
        if found is None:
            raise
        return found
    element.description.optional = []
    return element, []


def _marked_batch_element(data: bytes) -> tuple[BatchElement, list[str]] | None:
    """An element that cannot be read as it is, and marks something of its description as optional."""
    if b'"optional"' not in data:
        return None
    parts = msgspec.json.decode(data)
    if not isinstance(parts, dict):
        return None
    described = parts.get("description")
    if not isinstance(described, dict) or not described.get("optional"):
        return None
    try:
        description, notes = optional.convert(described)
    except InvalidInput as error:
        error.element = f"description.{error.element}" if error.element else "description"
        raise
    try:
        element = msgspec.convert(parts | {"description": description}, BatchElement)
    except msgspec.ValidationError as error:
        raise invalid(error, BatchElement) from None
    return element, [str(note) for note in notes]
