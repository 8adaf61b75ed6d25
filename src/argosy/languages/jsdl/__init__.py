"""Job Submission Description Language 1.0 (GFD.56, GFD.136) and its extensions, to descriptions and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from lxml import etree

from .. import xml
from ..contract import Element, Language, Note, NotValid, Parsed, Place, Unsupported, Written
from ..native import Description
from ..sweeps import Expansion, Value
from ..sweeps.template import told
from . import document, places, schema, sweep, writing
from .reading import Reading
from .sweep import Sweep
from .understood import understood

_ROOT = re.compile(rb"<(?:[\w.-]+:)?JobDefinition[\s>/]")
_HEAD = 65_536


class JSDL(Language):
    """JSDL with POSIXApplication, HPCProfileApplication, SPMDApplication and Parameter Sweep."""

    name = "jsdl"
    media_types = ("application/jsdl+xml", "application/xml", "text/xml")

    def recognises(self, data: bytes) -> bool:
        head = data[:_HEAD]
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            head = head.replace(b"\0", b"")  # UTF-16
        return head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<") and _ROOT.search(head) is not None

    def parse(self, data: bytes, *, strict: bool = False) -> Parsed:
        """Read a document. In strict mode its verdict is that of the schemas."""
        root = xml.parse(data)
        document.check_root(root)
        reading = Reading(strict=strict)
        if strict:
            schema.validate(root)
        else:
            for line, message, element in schema.violations(root):
                reading.notes.append(Note(element, f"not as the schema has it: {message}", line))
        try:
            return self._read(reading, root)
        except NotValid as error:
            if not strict:
                raise
            # The schemas have nothing against it: it is a JSDL document, of a job that cannot be.
            reading.notes.append(Note(error.element or "JobDefinition", error.message, refused=True))
            return Parsed(_nothing(reading.notes), 0, reading.notes)

    @staticmethod
    def _read(reading: Reading, root: etree._Element) -> Parsed:
        elements: list[etree._Element] = []
        first = document.read(reading, root, sweeps=elements.append)
        read = [sweep.read(reading, element) for element in elements]
        sweeps = [one for one in read if one is not None]
        if first is None:
            return Parsed(_nothing(reading.notes), 0, reading.notes)
        if not sweeps or len(sweeps) != len(elements):
            return Parsed(iter((first,)), 1, reading.notes)
        return Parsed.of(_JSDLSweep(root, sweeps), reading.notes)

    def write(self, description: Description) -> Written:
        return writing.write(description, self._read_back)

    def _read_back(self, data: bytes) -> Description:
        return self.parse(data, strict=True).one()

    def place(self, data: bytes, element: str, description: Description) -> Place | None:
        return places.find(xml.parse(data), element, description)

    def elements(self) -> Sequence[Element]:
        return list(understood().values())


def _nothing(notes: list[Note], what: str = "nothing in it can be run") -> Iterator[Description]:
    raise _refused(notes, what)
    yield  # a generator: it raises when a job is asked for


def _refused(notes: list[Note], what: str) -> Unsupported:
    # Where all that was not understood was marked as optional, the last note is about what there is nothing without.
    refused = [note for note in notes if note.refused] or notes[-1:]
    return Unsupported(f"{what}: {'; '.join(map(str, refused[:10]))}", elements=[note.element for note in refused])


class _JSDLSweep(Expansion):
    """The jobs of a document with sweeps. Values stand in the document while a job is read."""

    def __init__(self, root: etree._Element, sweeps: Sequence[Sweep]) -> None:
        plan, self._places = sweep.planned(sweeps)
        super().__init__(plan)
        self._root = root

    def make(self, index: int, values: Mapping[str, Value]) -> Description:
        which = f"job {index} of the sweep ({told(values)})"
        reading = Reading(strict=False)
        there = sweep.Values()
        try:
            for name, value in values.items():
                for slot in self._places[name]:
                    there.put(slot, str(value))
            made = document.read(reading, self._root, sweeps=lambda element: None)
        except NotValid as error:
            raise NotValid(f"{which}: {error.message}", element=error.element) from None
        finally:
            there.restore()
        if made is None:
            raise _refused(reading.notes, which)
        return made
