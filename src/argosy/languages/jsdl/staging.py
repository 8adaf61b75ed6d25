"""JSDL's DataStaging elements, to input and output files and back."""

from __future__ import annotations

import base64
import binascii
import posixpath
from urllib.parse import quote, unquote_to_bytes

from lxml import etree

from argosy.model import InvalidInput
from argosy.model.description import CreationFlag, session_path

from ..native import Input, Output
from .names import local
from .reading import Reading, wrong
from .resources import Wanted, mount_of

_FLAGS: dict[str, CreationFlag] = {"overwrite": "overwrite", "append": "append", "dontOverwrite": "refuse"}
#: Creation flags as JSDL writes them.
FLAGS = {ours: theirs for theirs, ours in _FLAGS.items()}


class Files:
    """The files of one description, gathered from its DataStaging elements."""

    def __init__(self) -> None:
        self.inputs: dict[str, Input] = {}
        self.outputs: dict[str, Output] = {}

    def read(self, reading: Reading, element: etree._Element, wanted: Wanted) -> None:
        """Add what one DataStaging says."""
        found: dict[str, str] = {}
        ends: dict[str, etree._Element] = {}
        flag: CreationFlag = "overwrite"
        deleted = False

        def take(child: etree._Element) -> None:
            found[local(child)] = reading.word(child)

        def creation(child: etree._Element) -> None:
            nonlocal flag
            flag = _FLAGS[reading.choice(child, {word: word for word in _FLAGS})]

        def delete(child: etree._Element) -> None:
            nonlocal deleted
            deleted = reading.flag(child)

        def system(child: etree._Element) -> None:
            name = reading.word(child)
            if mount_of(reading, child, name, wanted):
                reading.note(child, f"{name} is outside of the session directory", refused=True)

        reading.children(
            element,
            {
                "jsdl:FileName": take,
                "jsdl:FilesystemName": system,
                "jsdl:CreationFlag": creation,
                "jsdl:DeleteOnTermination": delete,
                "jsdl:Source": lambda child: ends.update(source=child),
                "jsdl:Target": lambda child: ends.update(target=child),
            },
        )
        if not found.get("FileName"):
            raise wrong(element, "a DataStaging has a FileName")
        try:
            name = session_path(found["FileName"])
        except InvalidInput as error:
            reading.note(element, error.message, refused=True)
            return
        if "source" in ends:
            self._input(reading, ends["source"], Input(path=name, creation=flag, delete_on_termination=deleted))
        if "target" in ends:
            self._output(reading, ends["target"], Output(path=name, creation=flag, delete_on_termination=deleted))
        if not ends and deleted:
            # Neither end: only how long the file stays is told (JSDL 1.0, DeleteOnTermination).
            self.outputs.setdefault(name, Output(path=name, optional=True, delete_on_termination=True))
        elif not ends:
            reading.note(element, "a file with neither a Source nor a Target: nothing is done about it")

    def _input(self, reading: Reading, element: etree._Element, file: Input) -> None:
        url = _url(reading, element)
        content = None if url is None else inline(url)
        known = self.inputs.setdefault(file.path, file)
        if known is file:
            if content is not None:
                file.content = content
            elif url is not None:
                file.sources.append(url)
        elif (
            known.creation != "overwrite"
            or file.creation != "overwrite"
            or url is None
            or content is not None
            or not known.sources
        ):
            reading.note(element, f"{file.path!r} has several sources that are not alternatives", refused=True)
        else:
            known.sources.append(url)
            known.delete_on_termination |= file.delete_on_termination

    def _output(self, reading: Reading, element: etree._Element, file: Output) -> None:
        url = _url(reading, element)
        known = self.outputs.setdefault(file.path, file)
        if known is not file and known.creation != file.creation:
            reading.note(element, f"{file.path!r} has targets with different creation flags", refused=True)
        if url is not None:
            known.targets.append(url)
        known.optional = False
        known.delete_on_termination |= file.delete_on_termination


def _url(reading: Reading, element: etree._Element) -> str | None:
    found: list[str] = []

    def take(child: etree._Element) -> None:
        if url := reading.text(child).strip():
            found.append(url)
        else:
            reading.note(child, "an empty URI is as none")

    reading.children(element, {"jsdl:URI": take})
    if not found:
        return None
    if ":" not in found[0].partition("/")[0]:
        reading.note(element, f"{found[0]!r} is no URL that a service could reach; put the file yourself", refused=True)
        return None
    return found[0]


def inline(url: str) -> str | None:
    """The text that a data: URL holds (RFC 2397); None for any other URL, and for bytes that are no text."""
    head, comma, data = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        return None
    raw = unquote_to_bytes(data)
    try:
        if head.lower().endswith(";base64"):
            raw = base64.b64decode(raw, validate=True)
        return raw.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def inline_url(content: str) -> str:
    """A text as a data: URL."""
    return "data:;charset=utf-8," + quote(content.encode(), safe="-._~!$&'()*+;=:@/")


def is_there(name: str, files: dict[str, Input]) -> str | None:
    """The input file that a program's name means: a plain name or a path that is one of the input files."""
    plain = posixpath.normpath(name)
    return plain if not name.startswith("/") and plain in files else None
