"""What this program's directory and environment are, asked for with every submission."""

from __future__ import annotations

import os
from typing import Any

from argosy.model import Origin


class Origins:
    """Answers with the same `Origin` as long as nothing has changed; finding that out takes a few microseconds."""

    def __init__(self) -> None:
        # One value, so that another thread sees either the one before or this one.
        self._known: tuple[dict[Any, Any], Origin] | None = None

    def now(self) -> Origin:
        """The present one."""
        try:
            directory = os.getcwd()
        except OSError:  # it was removed; what is run now is run there all the same
            directory = None
        # What os.environ keeps inside is what it was given, encoded: comparing that is all that is needed.
        inside: dict[Any, Any] = getattr(os.environ, "_data", os.environ)  # type: ignore[arg-type]  # equal to it at least
        known = self._known
        if known is None or known[1].directory != directory or known[0] != inside:
            inside = dict(inside)  # at once, whatever other threads do to it
            environ = {os.fsdecode(name): os.fsdecode(value) for name, value in inside.items()}
            known = self._known = inside, Origin(directory, environ)
        return known[1]
