"""Our own JSON as one of the description languages: an object is one job, an array of objects several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from argosy.model import InvalidInput

from . import native
from .contract import Element, Language, NotValid, Parsed, Support, Written
from .native import Description

_raws: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


class NativeJSON(Language):
    """The description of the native REST interface. It is strict always."""

    name = "json"
    media_types = ("application/json",)

    def recognises(self, data: bytes) -> bool:
        return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")

    def parse(self, data: bytes, *, strict: bool = False) -> Parsed:
        del strict
        data = data.removeprefix(b"\xef\xbb\xbf")
        if data.lstrip()[:1] != b"[":
            return Parsed(iter((_decode(data),)))
        try:
            raws = _raws.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotValid(f"this is not JSON: {error}") from None
        return Parsed(_each(raws), len(raws))

    def write(self, description: Description) -> Written:
        return Written(msgspec.json.format(native.encode(description), indent=2) + b"\n", [])

    def elements(self) -> Sequence[Element]:
        return list(_elements(Description, ""))


def _each(raws: list[msgspec.Raw]) -> Iterator[Description]:
    for index, raw in enumerate(raws):
        yield _decode(bytes(raw), f"[{index}]")


def _decode(data: bytes, at: str = "") -> Description:
    try:
        return native.decode(data)
    except InvalidInput as error:
        element = ".".join(part for part in (at, error.element or "") if part) or None
        raise NotValid(error.message, element=element) from None
    except RecursionError:
        raise NotValid("the document is nested too deeply", element=at or None) from None


def _elements(kind: Any, prefix: str) -> Iterator[Element]:
    schemas = msgspec.json.schema_components([kind])[1]
    for field in msgspec.structs.fields(kind):
        support = Support.MANDATORY if field.required else Support.OPTIONAL
        described = schemas[kind.__name__]["properties"][field.encode_name].get("description", "")
        yield Element(prefix + field.encode_name, support, described)
        inner = {"resources": native.Resources, "inputs": native.Input, "outputs": native.Output}.get(field.name)
        if not prefix and inner is not None:
            yield from _elements(inner, f"{field.encode_name}{'' if field.name == 'resources' else '[]'}.")
