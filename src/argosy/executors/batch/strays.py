"""Records that stay in the spool: of jobs that are not watched, or that the batch system is to have its say about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Stray:
    tag: str
    written: float
    since: float


class Strays:
    """Which records have been read and left where they are, so that they are not read anew at every look."""

    def __init__(self) -> None:
        self._all: dict[str, _Stray] = {}
        self._of: dict[str, set[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def __len__(self) -> int:
        return len(self._all)

    def of(self, tag: str) -> set[str]:
        """The names of those of one job."""
        return self._of.get(tag, set())

    def keep(self, name: str, tag: str, written: float, now: float) -> None:
        """Leave one where it is. `written` is when its job wrote it; `tag` is empty where it cannot be read."""
        self._all[name] = _Stray(tag, written, now)
        self._of.setdefault(tag, set()).add(name)

    def let_go(self, name: str) -> None:
        """It is not there any more, or is to be read again."""
        stray = self._all.pop(name, None)
        if stray is not None:
            names = self._of[stray.tag]
            names.discard(name)
            if not names:
                del self._of[stray.tag]

    def read_again(self, tags: Iterable[str]) -> bool:
        """Look once more at those of these jobs; whether there are any."""
        names = [name for tag in tags for name in self.of(tag)]
        for name in names:
            self.let_go(name)
        return bool(names)

    def old(self, before: float, known_before: float) -> dict[str, str]:
        """Those that were written before one time and have been known here since before another, with their tags."""
        return {
            name: stray.tag
            for name, stray in self._all.items()
            if stray.tag and stray.written < before and stray.since < known_before
        }
