"""What the words of a batch system's commands are known by."""

from __future__ import annotations

from collections.abc import Iterable


def has(words: str, signs: Iterable[str]) -> bool:
    """Whether one of some signs is in words, however either is written in capitals and small letters."""
    lower = words.lower()
    return any(sign.lower() in lower for sign in signs)
