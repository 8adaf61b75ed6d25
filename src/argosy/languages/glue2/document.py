"""Whole GLUE 2 documents, written piece by piece: activities come in pages, so that few of many are held."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from lxml import etree

from .entities import FORMS, Entity
from .json import as_json
from .xml import NAMESPACE, as_element

_DECLARED = f' xmlns="{NAMESPACE}"'.encode()
_ACTIVITY = "ComputingActivity"


@dataclass(slots=True)
class Document:
    """The entities of a document. `activities` are further ones, page by page.

    `ids` are of activities that are only named, page by page; they stand with the first endpoint.
    """

    entities: Sequence[Entity]
    activities: AsyncIterator[Sequence[Entity]] | None = None
    ids: AsyncIterator[Sequence[str]] | None = None
    _marker: str = field(default_factory=lambda: f"urn:marker:{secrets.token_hex(16)}")

    async def xml(self) -> AsyncIterator[bytes]:
        """The document as XML."""
        yield b'<?xml version="1.0" encoding="UTF-8"?>\n<GLUE2' + _DECLARED + b">\n"
        for kind, entities in self._in_order():
            written = b"".join(_xml(entity) for entity in entities)
            before, found, after = written.partition(f"<ActivityID>{self._marker}</ActivityID>".encode())
            yield before
            if found and self.ids is not None:
                async for ids in self.ids:
                    yield b"".join(b"<ActivityID>%s</ActivityID>" % _escaped(id) for id in ids)
            yield after
            if kind == _ACTIVITY and self.activities is not None:
                async for page in self.activities:
                    yield b"".join(_xml(entity) for entity in page)
        yield b"</GLUE2>\n"

    async def json(self) -> AsyncIterator[bytes]:
        """The document as JSON."""
        opened = b"{"
        for kind, entities in self._in_order():
            streamed = kind == _ACTIVITY and self.activities is not None
            if not entities and not streamed:
                continue
            yield opened + msgspec.json.encode(kind) + b":["
            opened = b","
            between = b""
            for entity in entities:
                written = msgspec.json.encode(as_json(entity))
                before, found, after = written.partition(f'"{self._marker}"'.encode())
                yield between + before
                if found and self.ids is not None:
                    comma = b""
                    async for ids in self.ids:
                        if ids:
                            yield comma + b",".join(msgspec.json.encode(id) for id in ids)
                            comma = b","
                yield after
                between = b","
            if streamed and self.activities is not None:
                async for page in self.activities:
                    if page:
                        yield between + b",".join(msgspec.json.encode(as_json(entity)) for entity in page)
                        between = b","
            yield b"]"
        yield b"{}" if opened == b"{" else b"}"

    def _in_order(self) -> Iterable[tuple[str, list[Entity]]]:
        kinds: dict[str, list[Entity]] = {kind: [] for kind in FORMS}
        for entity in self.entities:
            kinds[entity.kind].append(entity)
        endpoints = kinds["ComputingEndpoint"]
        if endpoints and self.ids is not None:
            endpoints[0].associations["ActivityID"] = [self._marker]
        return kinds.items()


def _xml(entity: Entity) -> bytes:
    # The root has said which namespace it is.
    return etree.tostring(as_element(entity), encoding="utf-8").replace(_DECLARED, b"", 1) + b"\n"


def _escaped(text: str) -> bytes:
    return text.replace("&", "&amp;").replace("<", "&lt;").encode()
