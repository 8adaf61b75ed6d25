"""As whom a host is logged in to: an owner, with the credentials that were named. As one text, as drivers take it."""

from __future__ import annotations

from collections.abc import Sequence


def whose(owner: str, credentials: Sequence[str]) -> str:
    """The text. Ids of credentials have no spaces or commas."""
    return f"{','.join(credentials)} {owner}"


def taken_apart(text: str) -> tuple[str, tuple[str, ...]]:
    """The owner and the credentials of such a text."""
    ids, _, owner = text.partition(" ")
    return owner, tuple(filter(None, ids.split(",")))
