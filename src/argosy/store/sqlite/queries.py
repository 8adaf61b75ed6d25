"""The fixed queries, read from ``sql/sqlite/queries.sql`` and its neighbours."""

from __future__ import annotations

import re
from importlib.resources import files

#: In ``sql/sqlite``.
FILES = ("queries.sql", "sweeps.sql", "notifications.sql", "usage.sql", "administration.sql")

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def _load() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in FILES:
        text = files("argosy.store").joinpath("sql", "sqlite", file).read_text("utf-8")
        _, *parts = _NAME.split(text)
        found |= {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    return found


#: Each query by its name.
SQL: dict[str, str] = _load()
