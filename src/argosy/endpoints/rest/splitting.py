"""The elements of a JSON array, or the lines of newline-delimited JSON, cut apart as their bytes arrive.

What is given out is whole and well-formed, but nothing of it is read further. Each byte is looked at a bounded number
of times, whatever was sent.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Protocol

import msgspec

from argosy.languages.faults import invalid

from .problems import HttpError, Malformed, of_status

#: So many bytes are gathered before they are cut. An array that is no longer is read as it is.
BLOCK = 256 * 1024
#: How deep anything may be nested: no description comes near it.
_DEEPEST = 500

#: Where one element ends and the next one begins, as far as can be told from the words that most of them begin with.
_BETWEEN = re.compile(rb'\}\s*(,)\s*\{\s*"(?:description|submission_id)"')
_NESTED = re.compile(rb'[\[\]{}"]')
_OUTERMOST = re.compile(rb'[\[\]{}",]')
#: The rest of a string up to the quotation mark that ends it, or as far as it goes.
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SPACE = b" \t\r\n"

_raws: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


class Splitter(Protocol):
    """Given all bytes of a body in order, then told of its end. `count` is how many elements it has given out."""

    count: int

    def feed(self, data: bytes) -> list[msgspec.Raw]:
        """The elements that are complete now. Raises Malformed, InvalidInput, HttpError (413)."""

    def end(self) -> list[msgspec.Raw]:
        """The remaining elements. Raises as `feed`."""


class ArrayElements:
    """The elements of one JSON array, each of at most `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self.count = 0
        self._longest = longest
        self._buffer = bytearray()  # begins where an element does, once the array has been opened
        self._opened = False
        self._looked = 0  # at so many bytes of the buffer, when it was last cut
        self._scan = _Scan()

    def feed(self, data: bytes) -> list[msgspec.Raw]:
        self._buffer += data
        if len(self._buffer) - self._looked < BLOCK:
            return []
        if not self._open():
            return []
        # The short way where it leads somewhere; what is left of an element is not gone over again and again.
        elements = self._by_words() if len(self._buffer) <= 2 * BLOCK else None
        if elements is None:
            elements = self._by_scan()
        self._looked = len(self._buffer)
        if len(self._buffer) > self._longest:
            raise _too_long(self.count, self._longest)
        return elements

    def end(self) -> list[msgspec.Raw]:
        if not self._opened or not self.count:
            return self._read(b"[" * self._opened + self._buffer)
        elements = self._read(b"[" + self._buffer)
        if not elements:
            raise Malformed("the body is not JSON: there is a comma at the end of the array")
        return elements

    def _open(self) -> bool:
        """Whether the array has begun."""
        if self._opened:
            return True
        self._buffer = self._buffer.lstrip(_SPACE)
        self._looked = len(self._buffer)
        if not self._buffer:
            return False
        if not self._buffer.startswith(b"["):
            self._read(self._buffer)  # raises, unless it is complete
            raise Malformed("the body is not a JSON array")
        del self._buffer[:1]
        self._opened = True
        return True

    def _by_words(self) -> list[msgspec.Raw] | None:
        """Cut where it looks like the end of an element. None where it was none, or there is none.

        What is an array once a bracket is put after it is so because the elements before that place are complete.
        """
        last = deque(_BETWEEN.finditer(self._buffer), maxlen=1)
        if not last:
            return None
        found = last[0]
        try:
            elements = _raws.decode(b"[" + self._buffer[: found.start(1)] + b"]")
        except (msgspec.MsgspecError, RecursionError):
            return None
        self._scan = _Scan()
        return self._cut(found.start(1), self._counted(elements, found.start(1)))

    def _by_scan(self) -> list[msgspec.Raw]:
        """Cut at the last comma between elements, having followed every bracket."""
        comma = self._scan.go_on(self._buffer)
        if comma is None:
            return []
        elements = self._read(b"[" + self._buffer[:comma] + b"]")
        self._scan.at -= comma + 1
        return self._cut(comma, elements)

    def _cut(self, comma: int, elements: list[msgspec.Raw]) -> list[msgspec.Raw]:
        if not elements:
            raise Malformed("the body is not JSON: there is a comma without an element before it")
        del self._buffer[: comma + 1]
        return elements

    def _read(self, data: bytes | bytearray) -> list[msgspec.Raw]:
        try:
            return self._counted(_raws.decode(data), len(data))
        except msgspec.ValidationError as error:
            raise invalid(error) from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise Malformed(f"the body is not JSON: {error}") from None

    def _counted(self, elements: list[msgspec.Raw], size: int) -> list[msgspec.Raw]:
        if size > self._longest:
            _check_length(elements, self.count, self._longest)
        self.count += len(elements)
        return elements


class _Scan:
    """Follows the brackets and strings of what is in an array, from where it was left. `at` is that place."""

    def __init__(self) -> None:
        self.at = 0
        self._depth = 0
        self._in_string = False

    def go_on(self, data: bytearray) -> int | None:
        """Where the last comma is that is in nothing but the array itself."""
        comma = None
        while True:
            if self._in_string:
                rest = _IN_STRING.match(data, self.at)
                assert rest is not None  # it may be empty
                self.at = end = rest.end()
                if end == len(data) or data[end] != 0x22:
                    return comma  # the string goes on, perhaps with what is escaped
                self.at += 1
                self._in_string = False
            found = (_NESTED if self._depth else _OUTERMOST).search(data, self.at)
            if found is None:
                self.at = len(data)
                return comma
            mark = found[0]
            self.at = found.end()
            if mark == b'"':
                self._in_string = True
            elif mark == b",":
                comma = found.start()
            elif mark in (b"[", b"{"):
                self._depth += 1
                if self._depth > _DEEPEST:
                    raise Malformed(f"the body is nested more than {_DEEPEST} deep")
            elif self._depth:
                self._depth -= 1
            elif mark == b"}":
                raise Malformed("the body is not JSON: there is a brace too many")


class Lines:
    """The lines of newline-delimited JSON, each of at most `longest` bytes; empty ones are none."""

    def __init__(self, longest: int) -> None:
        self.count = 0
        self._longest = longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[msgspec.Raw]:
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            lines = []
        else:
            lines = self._of(bytes(self._rest) + whole)
            self._rest = bytearray(rest)
        if len(self._rest) > self._longest:
            raise _too_long(self.count, self._longest)
        return lines

    def end(self) -> list[msgspec.Raw]:
        rest, self._rest = bytes(self._rest), bytearray()
        return self._of(rest)

    def _of(self, text: bytes) -> list[msgspec.Raw]:
        lines = [msgspec.Raw(line) for line in text.split(b"\n") if line.strip(_SPACE)]
        if len(text) > self._longest:
            _check_length(lines, self.count, self._longest)
        self.count += len(lines)
        return lines


def _check_length(elements: list[msgspec.Raw], before: int, longest: int) -> None:
    for index, element in enumerate(elements, before):
        if len(bytes(element)) > longest:
            raise _too_long(index, longest)


def _too_long(index: int, longest: int) -> HttpError:
    error = of_status(413, f"element {index} is longer than the {longest} bytes that one may have")
    error.element = f"[{index}]"
    return error
