"""Words of which one is right: what is told to whoever wrote another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: A longer word is no slip of the pen; nor is it repeated to whoever wrote it.
_LONGEST = 60


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is so like `word` that it was meant, as far as can be told."""
    if len(word) > _LONGEST:
        return None
    plain = {_plain(one): one for one in known}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def _plain(word: str) -> str:
    """Without what many of them have in common."""
    return word.lower().lstrip("-")


def none_of(word: str, known: Iterable[str]) -> str:
    """That `word` is none of `known`, and which of them may have been meant; without a capital and a full stop."""
    return f"{shown(word)!r} is none of {listed(known, word)}"


def shown(word: str) -> str:
    """A word that somebody wrote, not too much of it."""
    return word if len(word) <= _LONGEST else word[:_LONGEST] + "..."


def listed(known: Iterable[str], word: str) -> str:
    """All of `known`, and which of them may have been meant with `word`."""
    words = list(known)
    return ", ".join(words) + meant(word, words)


def meant(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that says which of `known` may have been meant; empty where none is like `word`."""
    near = nearest(word, known)
    return "" if near is None else f"; did you mean {near}?"
