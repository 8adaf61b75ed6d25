"""The namespaces of JSDL and its extensions, and names as people read them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from lxml import etree

#: Prefixes as they are written in our documents and messages.
NAMESPACES = {
    "jsdl": "http://schemas.ggf.org/jsdl/2005/11/jsdl",
    "jsdl-posix": "http://schemas.ggf.org/jsdl/2005/11/jsdl-posix",
    "jsdl-hpcpa": "http://schemas.ggf.org/jsdl/2006/07/jsdl-hpcpa",
    "jsdl-spmd": "http://schemas.ogf.org/jsdl/2007/02/jsdl-spmd",
    "sweep": "http://schemas.ogf.org/jsdl/2009/03/sweep",
    "sweepfunc": "http://schemas.ogf.org/jsdl/2009/03/sweep/functions",
    "file-sweep": "http://schemas.ogf.org/jsdl/2009/03/file-sweep",
    "ac": "http://schemas.ogf.org/hpcp/2007/11/ac",
}
# Elements of a name are counted so far.
_MOST = 1000
_PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}
_QUIET = ("http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace")


def tag(name: str) -> str:
    """``prefix:local`` as lxml names it."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def known(tag: str) -> str | None:
    """An element's name as ``prefix:local``, where its namespace is one of ours."""
    uri, _, local = tag[1:].partition("}")
    return f"{_PREFIXES[uri]}:{local}" if tag.startswith("{") and uri in _PREFIXES else None


def shown(tag: str) -> str:
    """An element's or attribute's name for people."""
    return known(tag) or tag


def line(element: etree._Element) -> int | None:
    """The line that an element begins on, from 1; None where the document does not tell."""
    found: Any = element.sourceline
    return int(found) if found else None


def local(element: etree._Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def path(element: etree._Element) -> str:
    """Where an element is: the names from the root on, with its number where there are several of a name."""
    parts = []
    here: etree._Element | None = element
    while here is not None:
        parts.append(local(here) + _number(here))
        here = here.getparent()
    return "/".join(reversed(parts))


def _number(element: etree._Element) -> str:
    before = sum(1 for _ in islice(element.itersiblings(element.tag, preceding=True), _MOST))
    if before == 0 and next(element.itersiblings(element.tag), None) is None:
        return ""
    return f"[{before + 1}]" if before < _MOST else "[...]"


def is_about_xml(attribute: str) -> bool:
    """Whether an attribute is about the document, as ``xsi:schemaLocation`` and ``xml:lang`` are."""
    return attribute.startswith("{") and attribute[1:].partition("}")[0] in _QUIET
