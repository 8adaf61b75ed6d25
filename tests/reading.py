"""What can be read of a directory in which others are at work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def contents(directory: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file below it with its content; what is taken away meanwhile is not there. Links are not followed."""
    for place, _, names in os.walk(directory):
        for path in (Path(place, name) for name in names):
            if path.is_file() and not path.is_symlink():
                try:
                    yield path, path.read_bytes()
                except FileNotFoundError:
                    continue
