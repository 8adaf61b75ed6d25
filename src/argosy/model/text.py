"""Text from outside that is no Unicode: names of files, and words in some other encoding."""

from __future__ import annotations

import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
#: What Python makes of a byte that is no UTF-8 is that many more.
_BYTE = 0xDC00


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
