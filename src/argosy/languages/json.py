"""Our own JSON as one of the description languages: an object is one job or a sweep, an array of objects several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from argosy.model import InvalidInput

from . import native, optional
from .contract import Element, Language, Note, NotValid, Parsed, Support, Written
from .faults import invalid
from .native import Description
from .sweeps import Expansion, Options, Value
from .sweeps.document import SweepDescription, SweepNode, plan
from .sweeps.plan import Axis, Range
from .sweeps.template import Template

_raws: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_fields: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_sweep: msgspec.json.Decoder[SweepDescription] = msgspec.json.Decoder(SweepDescription)


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
            if _is_sweep(data):
                sweep = _decode_sweep(data)
                return Parsed.of(sweep, sweep.notes())
            description, notes = _decode(data)
            return Parsed(iter((description,)), 1, notes)
        try:
            raws = _raws.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotValid(f"this is not JSON: {error}") from None
        return Parsed(_each(raws), len(raws))

    def write(self, description: Description) -> Written:
        return Written(msgspec.json.format(native.encode(description), indent=2) + b"\n", [])

    def elements(self) -> Sequence[Element]:
        return [
            *_elements(Description, ""),
            *_elements(SweepDescription, "sweep:"),
            *_elements(SweepNode, "sweep:sweep."),
        ]


class JSONSweep(Expansion):
    """The jobs of a sweep in our own JSON. Raises InvalidInput naming what is wrong with it."""

    def __init__(self, document: SweepDescription) -> None:
        super().__init__(
            plan(document.sweep),
            Options(
                document.name,
                document.window,
                document.stop_after_failures,
                # What starts when told is the sweep: its jobs are not there before.
                document.held or document.description.get("held") is True,
            ),
        )
        if document.description.get("notify"):
            # Each job would have a secret of its own, and there is nobody to whom it could be shown.
            raise InvalidInput(
                "a sweep has no place for secrets: subscribe to all of your activities with a tag instead",
                element="description.notify",
            )
        description = {
            name: value for name, value in document.description.items() if name != "held" or value is not True
        }
        self._template = Template(description, self.plan.names())
        self._document = document

    def make(self, index: int, values: Mapping[str, Value]) -> Description:
        return self._template.make(index, values)

    def notes(self) -> list[Note]:
        """What of the description is skipped."""
        try:
            return self._template.skipped(self.values(0))
        except InvalidInput:
            return []  # making the first job says what is wrong

    def check(self) -> None:
        for axis in _axes(self.plan):
            if not self._template.typed(axis.name):
                continue
            # Of a range, all numbers are as its first and last are.
            some = (
                (axis.values[0], axis.values[len(axis.values) - 1]) if isinstance(axis.values, Range) else axis.values
            )
            for value in some:
                self._template.check(axis.name, value)


def _axes(part: Any) -> Iterator[Axis]:
    if isinstance(part, Axis):
        yield part
    else:
        for inner in part.parts:
            yield from _axes(inner)


def _is_sweep(data: bytes) -> bool:
    """Whether an object is a sweep, well-formed or not."""
    try:
        return "sweep" in _fields.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # reading it as a description says what is wrong


def _decode_sweep(data: bytes) -> JSONSweep:
    try:
        return JSONSweep(_sweep.decode(data))
    except msgspec.ValidationError as error:
        found = invalid(error, SweepDescription, data)
        raise NotValid(found.message, element=found.element) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotValid(f"this is not JSON: {error}") from None
    except RecursionError:
        raise NotValid("the document is nested too deeply") from None
    except InvalidInput as error:
        raise NotValid(error.message, element=error.element) from None


def _each(raws: list[msgspec.Raw]) -> Iterator[Description]:
    for index, raw in enumerate(raws):
        yield _decode(bytes(raw), f"[{index}]")[0]


def _decode(data: bytes, at: str = "") -> tuple[Description, list[Note]]:
    try:
        return optional.read(data)
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
        inner = {
            "resources": native.Resources,
            "environments": native.Environment,
            "inputs": native.Input,
            "outputs": native.Output,
        }.get(field.name)
        if not prefix and inner is not None:
            yield from _elements(inner, f"{field.encode_name}{'' if field.name == 'resources' else '[]'}.")
