"""Tables for people: columns of a terminal, plain text elsewhere."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence

import click


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table. On a terminal it fits the width; elsewhere nothing is cut off."""
    clean = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(len(line[i]) for line in [columns, *clean]) for i in range(len(columns))]
        for line in [columns, *clean]:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        shown.add_column(column, no_wrap=True, overflow="fold" if index == 0 else "ellipsis")
    for line in clean:
        shown.add_row(*(Text(cell) for cell in line))
    Console().print(shown)


def printable(text: str) -> str:
    """A text on one line, without what would steer a terminal: names come from anywhere."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)
