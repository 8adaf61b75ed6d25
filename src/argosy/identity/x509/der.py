"""DER (X.690), as much as proxy and attribute certificates need and no more.

Strict: definite lengths in their shortest form, single-byte tags, nothing left over. What is not so is a ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID = 0x01, 0x02, 0x03, 0x04, 0x06
GENERALIZED_TIME, SEQUENCE, SET = 0x18, 0x30, 0x31


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag byte, its content, and all of it as it stood."""

    tag: int
    content: bytes
    raw: bytes

    def expect(self, tag: int) -> Element:
        """Itself, if it has this tag."""
        if self.tag != tag:
            raise ValueError(f"tag 0x{self.tag:02x} stands where 0x{tag:02x} should")
        return self

    def children(self, tag: int | None = None) -> list[Element]:
        """The elements within; with `tag`, this one must have it."""
        if tag is not None:
            self.expect(tag)
        return elements(self.content)

    def integer(self) -> int:
        """An INTEGER's value."""
        self.expect(INTEGER)
        if not self.content or (
            len(self.content) > 1 and self.content[0] in (0x00, 0xFF) and (self.content[0] ^ self.content[1]) < 0x80
        ):
            raise ValueError("an integer is not in its shortest form")
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self) -> str:
        """An OBJECT IDENTIFIER in dotted form."""
        self.expect(OID)
        if not self.content or self.content[-1] & 0x80 or len(self.content) > 64:
            raise ValueError("an object identifier is not complete")
        arcs: list[int] = []
        value = 0
        fresh = True
        for byte in self.content:
            if fresh and byte == 0x80:
                raise ValueError("an object identifier is not in its shortest form")
            value = value << 7 | byte & 0x7F
            fresh = not byte & 0x80
            if fresh:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))

    def bits(self) -> bytes:
        """A BIT STRING of whole bytes."""
        self.expect(BIT_STRING)
        if not self.content or self.content[0] != 0:
            raise ValueError("a bit string is not of whole bytes")
        return self.content[1:]

    def time(self) -> float:
        """A GeneralizedTime in UTC and whole seconds (RFC 5280, 4.1.2.5.2), in seconds since the epoch."""
        self.expect(GENERALIZED_TIME)
        text = self.content.decode("ascii")
        if len(text) != 15 or text[-1] != "Z" or not text[:-1].isdigit():
            raise ValueError(f"{text!r} is no time")
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def elements(data: bytes) -> list[Element]:
    """All elements of a piece of DER, one after the other."""
    found = []
    at = 0
    while at < len(data):
        element, at = _next(data, at)
        found.append(element)
    return found


def element(data: bytes) -> Element:
    """The one element that `data` is."""
    found, end = _next(data, 0)
    if end != len(data):
        raise ValueError("there is something after the end")
    return found


def _next(data: bytes, start: int) -> tuple[Element, int]:
    if len(data) - start < 2:
        raise ValueError("it is cut off")
    tag, length = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise ValueError("there is a tag of several bytes")
    at = start + 2
    if length == 0x80 or length > 0x84:
        raise ValueError("there is a length without an end, or too long a one")
    if length & 0x80:
        size = length & 0x7F
        if len(data) - at < size:
            raise ValueError("it is cut off")
        length = int.from_bytes(data[at : at + size], "big")
        if length < 0x80 or length < 1 << 8 * (size - 1):
            raise ValueError("a length is not in its shortest form")
        at += size
    end = at + length
    if end > len(data):
        raise ValueError("it is cut off")
    return Element(tag, data[at:end], data[start:end]), end
