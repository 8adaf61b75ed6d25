"""Going through a JSDL document: each element is either read, or noted with why not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from lxml import etree

from argosy.model.choices import nearest, none_of

from ..contract import Note, NotValid, Support
from .grammar import GRAMMAR, Form
from .names import is_about_xml, known, line, local, path, shown
from .understood import understood

#: A document is given up when there is so much to say of it.
MAX_NOTES = 1000

Handler = Callable[[etree._Element], None]


class Reading:
    """One document's notes, and what reading its parts has in common.

    `strict`: elements of other namespaces are refused unless they are marked as optional; otherwise they are noted and
    skipped.
    """

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.notes: list[Note] = []
        self.parameters = 0
        self.looked_at = 0
        self.elements = 0
        self._marked: dict[etree._Element, bool] = {}

    def note(self, element: etree._Element, message: str, *, refused: bool = False) -> None:
        """Note something; a refusal of what its author marked as optional becomes a mere note."""
        if refused and self._marked_optional(element):
            refused, message = False, f"skipped, as it is marked as optional: {message}"
        if len(self.notes) >= MAX_NOTES:
            raise wrong(element, f"there is too much in it that is not understood: {MAX_NOTES} elements so far")
        self.notes.append(Note(path(element), message, line(element), refused))

    def _marked_optional(self, element: etree._Element) -> bool:
        """Whether it, or what it is in, has the attribute ``optional`` of GES 5.2, in whatever namespace."""
        here: etree._Element | None = element
        while here is not None:
            marked = self._marked.get(here)
            if marked is None:  # an element may have many attributes, and be around many that are noted
                marked = self._marked[here] = _says_optional(here)
            if marked:
                return True
            here = here.getparent()
        return False

    def children(self, parent: etree._Element, handlers: Mapping[str, Handler]) -> None:
        """Hand each child to its handler, by ``prefix:Name``; the others are noted."""
        self.attributes(parent)
        once = _once(known(str(parent.tag)) or "")
        seen: set[str] = set()
        for child in parent:
            name = known(str(child.tag)) or ""
            if name in once and name in seen:
                raise wrong(child, f"{local(child)} is here more than once")
            seen.add(name)
            handler = handlers.get(name)
            if handler is None:
                self.unknown(child)
            else:
                handler(child)

    def unknown(self, element: etree._Element) -> None:
        """An element that nobody handles here."""
        name = known(str(element.tag))
        if name is None:
            # A sweep of another version is no decoration: without it another job would run.
            refused = self.strict or local(element) == "Sweep"
            self.note(element, f"{shown(str(element.tag))} is not understood", refused=refused)
            return
        entry = understood().get(name)
        if entry is None:
            self.note(element, f"there is no {name} in JSDL{_meant(name)}", refused=True)
        elif entry.support is Support.UNSUPPORTED:
            self.note(element, entry.meaning, refused=True)
        else:
            self.note(element, f"{name} has no place here", refused=True)

    def attributes(self, element: etree._Element) -> None:
        """Note the attributes of an element that are not known."""
        if not element.attrib:
            return
        allowed = _attributes(known(str(element.tag)) or "")
        for name in element.keys():  # noqa: SIM118  # an element iterates over its children
            text = str(name)
            if text in allowed or text.rpartition("}")[2] == "optional" or is_about_xml(text):
                continue
            foreign = text.startswith("{")
            self.note(element, f"the attribute {shown(text)} is not understood", refused=not foreign)

    def text(self, element: etree._Element) -> str:
        """The text of an element that holds nothing else, as it stands."""
        self.attributes(element)
        if len(element):
            raise wrong(element, f"{local(element)} holds a text, not the element {local(element[0])}")
        return element.text or ""

    def word(self, element: etree._Element) -> str:
        """The text of an element without the line breaks and the indentation that it may have been written with."""
        return trimmed(self.text(element))

    def choice(self, element: etree._Element, known: Mapping[str, str]) -> str:
        """What one of several words stands for."""
        word = self.text(element).strip()
        if word not in known:
            raise wrong(element, none_of(word, known))
        return known[word]

    def flag(self, element: etree._Element) -> bool:
        """A truth value (xsd:boolean)."""
        return self.choice(element, {"true": "1", "1": "1", "false": "", "0": ""}) == "1"

    def whole(self, element: etree._Element, minimum: int) -> int:
        """A whole number."""
        text = self.text(element).strip()
        digits = text.removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19) or int(digits) < minimum:
            raise wrong(element, f"{text!r} is no whole number from {minimum}")
        return int(digits)


def trimmed(text: str) -> str:
    """A text without white space at its ends, where that contains a line break: then it is the document's layout."""
    left = len(text) - len(text.lstrip())
    right = len(text.rstrip())
    if "\n" in text[:left] or "\n" in text[right:] or "\r" in text[:left] + text[right:]:
        return text.strip()
    return text


def _meant(name: str) -> str:
    """Which element may have been meant. Only names are compared: what prefixes have in common says nothing."""
    prefix, _, plain = name.rpartition(":")
    known: dict[str, str] = {}
    for one in sorted(understood(), key=lambda one: not one.startswith(prefix + ":")):
        known.setdefault(one.rpartition(":")[2], one)
    near = nearest(plain, known)
    return "" if near is None else f"; did you mean {known[near]}?"


def wrong(element: etree._Element, message: str) -> NotValid:
    """A fault in a document, with its place."""
    return NotValid(message, element=path(element), line=line(element))


def _says_optional(element: etree._Element) -> bool:
    return any(
        str(name).rpartition("}")[2] == "optional" and str(value).strip() in ("true", "1")
        for name, value in element.attrib.items()
    )


def _form(name: str) -> Form | None:
    prefix, _, plain = name.partition(":")
    return GRAMMAR.get(prefix, {}).get(plain)


@functools.cache
def _attributes(name: str) -> frozenset[str]:
    form = _form(name)
    words = [] if form is None else form.attributes.split()
    return frozenset(word.partition(":")[0] for word in words)


@functools.cache
def _once(name: str) -> frozenset[str]:
    """The children that may be there once only."""
    form = _form(name)
    words = [] if form is None else (form.content or "").split()
    prefix = name.partition(":")[0]
    singles = [word.rstrip("?") for word in words if not word.startswith("##") and word[-1] not in "*+"]
    return frozenset(word if ":" in word else f"{prefix}:{word.removeprefix('~')}" for word in singles)
