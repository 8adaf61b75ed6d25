"""Numbers that other programs have written."""

from __future__ import annotations

#: More digits than any count or size has. Python refuses to read some thousands of them.
_DIGITS = 18


def whole(text: str | None) -> int | None:
    """The number that a text is; None where it is none, or has more digits than any true one."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
