"""Vectors of ids and of changes: each element read by itself and answered in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from argosy.languages.faults import invalid
from argosy.model import ArgosyError, InvalidInput
from argosy.service.administration.limits import too_many

from . import bodies

T = TypeVar("T")
A = TypeVar("A")

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_id = msgspec.json.Decoder(str)


class Elements(Generic[T]):
    """The elements of a vector: `good` are those that could be read."""

    def __init__(self, words: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[T]) -> None:
        self.good: list[T] = []
        self._read: list[T | InvalidInput] = []
        for place, raw in enumerate(words):
            try:
                element = decoder.decode(raw)
            except msgspec.ValidationError as error:
                self._read.append(_at(place, invalid(error, decoder.type, raw)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self._read.append(
                    _at(place, InvalidInput(f"the element cannot be read: {bodies.why(bytes(raw), error)}"))
                )
            else:
                self.good.append(element)
                self._read.append(element)

    def answered(self, answers: Sequence[A]) -> list[A | ArgosyError]:
        """For each element its answer, of `answers` to those that are good, or what is wrong with it; in order."""
        following = iter(answers)
        return [one if isinstance(one, InvalidInput) else next(following) for one in self._read]

    def asked(self, words: str) -> list[T | str]:
        """The elements; in the place of each that could not be read `words`."""
        return [words if isinstance(one, InvalidInput) else one for one in self._read]


def elements(data: bytes, decoder: msgspec.json.Decoder[T], most: int) -> Elements[T]:
    """Those of a body that is a JSON array. Raises Malformed, InvalidInput where it is none, TooLarge."""
    words = bodies.decode(data, _raws)
    if len(words) > most:
        raise too_many(len(words), most)
    return Elements(words, decoder)


def ids(data: bytes, most: int) -> Elements[str]:
    """The ids that a body lists."""
    return elements(data, _id, most)


def _at(place: int, error: InvalidInput) -> InvalidInput:
    error.element = f"[{place}]" + (f".{error.element}" if error.element else "")
    return error
