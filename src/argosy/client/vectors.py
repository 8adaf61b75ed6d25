"""The body of a vector of creations: in one piece where it is short, otherwise written as it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec

from argosy.languages.documents import BatchElement

#: A body that is longer is not put together in memory.
_SHORT = 4 * 1024 * 1024
#: How much is sent at a time.
_PIECE = 64 * 1024

_encoder = msgspec.json.Encoder()


def body_of(elements: Sequence[BatchElement]) -> bytes | Pieces:
    """The JSON of these elements."""
    length = 2 + max(0, len(elements) - 1) + sum(len(_encoder.encode(one)) for one in elements)
    return _encoder.encode(elements) if length <= _SHORT else Pieces(elements, length)


class Pieces:
    """A body of `length` bytes that can be sent again and again, each time written anew."""

    def __init__(self, elements: Sequence[BatchElement], length: int) -> None:
        self._elements = elements
        self.length = length

    def __iter__(self) -> Iterator[bytes]:
        piece = bytearray(b"[")
        for number, one in enumerate(self._elements):
            if number:
                piece += b","
            piece += _encoder.encode(one)
            if len(piece) >= _PIECE:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece + b"]")

    async def awaited(self) -> AsyncIterator[bytes]:
        """The same for a client that is asynchronous."""
        for piece in self:
            yield piece
