"""Patterns of names: ``*`` is any text, also none, and ``?`` any one character."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern fits a whole text. It goes back to the last ``*`` alone, so no pattern takes long."""
    at = i = 0
    mark = -1
    taken = 0
    while i < len(text):
        if at < len(pattern) and pattern[at] == "*":
            mark, taken = at, i
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[i]):
            at += 1
            i += 1
        elif mark >= 0:
            taken += 1
            at, i = mark + 1, taken
        else:
            return False
    return all(char == "*" for char in pattern[at:])
