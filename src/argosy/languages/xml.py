"""XML from strangers: read without DTDs, entities, network or surprises, and within bounds."""

from __future__ import annotations

import re

from lxml import etree

from .contract import MAX_BYTES, NotValid

#: The most elements, and the deepest, that a document may have.
MAX_ELEMENTS = 200_000
MAX_DEPTH = 100
#: The most attributes that one element may have.
MAX_ATTRIBUTES = 200

# What may stand before the root: a declaration or processing instructions, comments, white space.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_TOO_DEEP = "the document is nested too deeply"


def parse(data: bytes) -> etree._Element:
    """The root of a document, comments and processing instructions left out. Raises NotValid with the line."""
    if len(data) > MAX_BYTES:
        raise NotValid(f"the document has {len(data)} bytes; the most are {MAX_BYTES}")
    start = _PROLOG.match(data)
    if start is not None and data[start.end() : start.end() + 9] == b"<!DOCTYPE":
        raise NotValid("a document with a DOCTYPE is not read: no DTD and no entity is wanted", line=_line(data, start))
    # No element without this byte, in any encoding that the parser takes (UTF-16 has it too).
    if data.count(b"<") > 2 * MAX_ELEMENTS:
        raise NotValid(f"the document has more than {MAX_ELEMENTS} elements")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line = error.position[0] if error.position else None
        message = _TOO_DEEP if "depth" in str(error.msg) else f"this is not well-formed XML: {error.msg}"
        raise NotValid(message, line=line or None) from None
    except (ValueError, LookupError) as error:
        raise NotValid(f"this is not XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotValid("a document with a DOCTYPE is not read: no DTD and no entity is wanted")
    _check_bounds(root)
    return root


def _check_bounds(root: etree._Element) -> None:
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise NotValid(_TOO_DEEP, line=element.sourceline)
        if event == "start" and len(element.attrib) > MAX_ATTRIBUTES:
            raise NotValid(
                f"an element has {len(element.attrib)} attributes; the most are {MAX_ATTRIBUTES}",
                line=element.sourceline,
                element=etree.QName(element).localname,
            )


def _line(data: bytes, match: re.Match[bytes]) -> int:
    return data.count(b"\n", 0, match.end()) + 1


def text_is_possible(text: str) -> bool:
    """Whether XML 1.0 can hold this text at all (production 2, Char)."""
    return _IMPOSSIBLE.search(text) is None


_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def possible_text(text: str) -> str:
    """The text with what XML 1.0 cannot hold replaced by U+FFFD."""
    return _IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
