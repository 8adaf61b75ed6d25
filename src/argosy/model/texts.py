"""What is to be known of texts before they leave Python."""

from __future__ import annotations

from collections.abc import Iterable


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


def abbreviates(option: str, names: Iterable[str]) -> bool:
    """Whether a command takes this for one of these long options, in any case of letters: it is one, or begins as one.

    getopt_long(3) and Python's argparse and optparse complete what is unique.
    """
    option = option.lower()
    return any(name.startswith(option) for name in names)
