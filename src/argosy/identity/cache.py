"""Verified credentials by the digest of what was sent, until they end or what they were verified with changes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


def digest(*parts: bytes) -> bytes:
    """One digest of several parts, in which their borders count."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()


class Cache(Generic[V]):
    """At most `size` of them; the one unused for longest makes way."""

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, tuple[V, float, Hashable]] = OrderedDict()

    def get(self, key: Hashable, now: float, generation: Hashable) -> V | None:
        """What is kept, if it is still good at `now` (seconds since the epoch) and of this generation."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, until, made = entry
        if now >= until or made != generation:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V, until: float, generation: Hashable) -> None:
        """Keep something until a time, for as long as the generation stays."""
        self._entries[key] = (value, until, generation)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
