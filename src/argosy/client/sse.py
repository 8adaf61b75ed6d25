"""Server-sent events (WHATWG HTML, section 9.2), as far as the service writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from argosy.languages.documents import EventDocument, Problem
from argosy.languages.sweeps.answers import SweepEventDocument

from .errors import from_problem

D = TypeVar("D", EventDocument, SweepEventDocument)

ACTIVITIES = msgspec.json.Decoder(EventDocument)
SWEEPS = msgspec.json.Decoder(SweepEventDocument)
_problem = msgspec.json.Decoder(Problem)


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of the stream, or where it is: `data` is empty then. `id` is None where it has none."""

    kind: str
    data: bytes
    id: int | None


class Parser:
    """Bytes in, events out.

    Lines end with a line feed only: the text inside may hold other characters that some take for line ends.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._kind = "message"
        self._id: int | None = None
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The events that are complete with these bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.rstrip(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            if name == b"event":
                self._kind = value.decode()
            elif name == b"data":
                self._data.append(value)
            elif name == b"id" and value.isdigit():
                self._id = int(value)
            elif not name and not value and (self._data or self._id is not None):
                yield Frame(self._kind, b"\n".join(self._data), self._id)
                self._kind, self._data, self._id = "message", [], None


class Subscription(Generic[D]):
    """The state of a stream that is taken up again after a cut; `decoder` reads its events."""

    def __init__(self, after: int | None, decoder: msgspec.json.Decoder[D]) -> None:
        self.after = after
        self.ended = False
        self._decoder: msgspec.json.Decoder[D] = decoder

    def headers(self) -> dict[str, str]:
        """What to ask for now."""
        headers = {"Accept": "text/event-stream"}
        if self.after is not None:
            headers["Last-Event-ID"] = str(self.after)
        return headers

    def take(self, frame: Frame) -> D | None:
        """The event in a frame, None where it has none. Raises the error that the service sends instead."""
        if frame.id is not None:
            self.after = frame.id
        if not frame.data:
            return None
        if frame.kind == "end":
            self.ended = True
            return None
        if frame.kind == "problem":
            raise from_problem(_problem.decode(frame.data))
        return self._decoder.decode(frame.data)
