"""What is to be known of texts before they leave Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
#: What Python makes of a byte that is no UTF-8 is that many more.
_BYTE = 0xDC00


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


def readable(value: Any) -> Any:
    """The same with bytes that are no UTF-8 as ``\\xff``, in texts and in lists and objects of them: it can be written,
    stored and sent."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub(_escaped, value)
    if isinstance(value, (list, tuple)):
        return type(value)([readable(one) for one in value])
    if isinstance(value, dict):
        return {readable(name): readable(one) for name, one in value.items()}
    return value


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - _BYTE:02x}" if 0x80 <= code - _BYTE <= 0xFF else f"\\u{code:04x}"
