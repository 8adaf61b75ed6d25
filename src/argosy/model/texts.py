"""Which texts can leave Python."""

from __future__ import annotations


def unencodable(text: str) -> str | None:
    """Words for the first character that stands for no bytes (half of a surrogate pair), None where all do.

    ``\\udc80`` to ``\\udcff`` stand for bytes that are no UTF-8 (PEP 383).
    """
    if text.isascii():
        return None
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        return f"the character U+{ord(text[error.start]):04X} at index {error.start}, half a character without bytes"
    return None
