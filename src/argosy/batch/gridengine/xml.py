"""What ``qstat -xml`` prints, read with no trust in it: no document types, no entities, nothing without a bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

#: The longest answer that is read, in characters: some 200,000 jobs.
MOST = 128 * 1024 * 1024
_DEEPEST = 64

# One line of the table; it has no further levels.
_JOB = re.compile(r"<job_list\b[^<>]*>(.*?)</job_list>", re.DOTALL)
# qstat has elements with a space in their names (`job ids`), which no XML document has.
_TAG = re.compile(r"<(/?[A-Za-z_]{1,40}) ([A-Za-z_]{1,40})>", re.ASCII)
# A character that no XML document has, which qstat copies from others' values all the same.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Element:
    """One element: its name, its text, its children."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        """The text of the first child of that name, None where there is none or it is empty."""
        return next((child.text.strip() or None for child in self.children if child.name == name), None)

    def all(self, name: str) -> Iterator[Element]:
        """The elements of that name at any depth, in order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)


def parse(text: str) -> Element:
    """The root element. Raises ValueError for what is no XML document, has a document type or is too long."""
    if len(text) > MOST:
        raise ValueError(f"an answer of {len(text)} characters is too long")
    parser = expat.ParserCreate("utf-8")
    top = Element("")
    open_elements = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > _DEEPEST:
            raise ValueError("the elements are too deep in each other")
        element = Element(name)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(name: str) -> None:
        open_elements.pop()

    def characters(data: str) -> None:
        open_elements[-1].text += data

    def refuse(*_: object) -> None:
        raise ValueError("a document type is not read")

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(_TAG.sub(r"<\1_\2>", _ILLEGAL.sub("\ufffd", text)).encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise ValueError(f"not an XML document: {error}") from error
    return top.children[0]


def jobs(text: str) -> Iterator[tuple[Element | None, str]]:
    """The jobs of a table, each with its text; None for one that cannot be read, which does not concern the others.

    Raises ValueError where the text is no table of jobs.
    """
    if len(text) > MOST:
        raise ValueError(f"an answer of {len(text)} characters is too long")
    if "<!DOCTYPE" in text or "<job_info" not in text or "</job_info>" not in text:
        raise ValueError("not a table of jobs")
    for match in _JOB.finditer(text):
        try:
            yield parse(f"<job>{match[1]}</job>"), match[0]
        except ValueError:
            yield None, match[0]


def documents(text: str) -> list[str]:
    """The documents of an answer, one after another."""
    return [part for part in re.split(r"(?=<\?xml )", text) if part.strip()]
