"""Tables for people: columns as wide as a terminal allows, plain text elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence

import click

_GAP = 2
#: No column is made narrower than this: what is left of it would tell nothing.
_NARROWEST = 8


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table.

    On a terminal long cells are cut to fit, but never those of the first column, which are what other commands
    take. Where even that is too wide each row is printed below the other, a cell a line. Elsewhere nothing is cut.
    """
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(width(line[i]) for line in [columns, *clean]) for i in range(len(columns))]
    terminal = sys.stdout.isatty()
    if terminal:
        fitting = _fit(widths, columns, shutil.get_terminal_size().columns)
        if fitting is None:
            _below(columns, clean)
            return
        widths = fitting
    for index, line in enumerate([columns, *clean]):
        cells = [padded(shortened(cell, room), room) for cell, room in zip(line, widths, strict=True)]
        text = (" " * _GAP).join(cells).rstrip()
        click.echo(click.style(text, bold=True) if terminal and not index and styled() else text)


def styled() -> bool:
    """Whether a terminal is to show more than letters."""
    return os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def _fit(widths: Sequence[int], columns: Sequence[str], room: int) -> list[int] | None:
    """The widths with which it fits, the widest being cut first; None where there are none."""
    fitting = list(widths)
    least = [min(own, max(_NARROWEST, width(name))) for own, name in zip(widths, columns, strict=True)]
    least[0] = widths[0]
    over = sum(fitting) + _GAP * (len(fitting) - 1) - room
    while over > 0:
        spare = [own - floor for own, floor in zip(fitting, least, strict=True)]
        if max(spare) <= 0:
            return None
        widest = max((index for index in range(len(fitting)) if spare[index]), key=lambda index: fitting[index])
        fitting[widest] -= 1
        over -= 1
    return fitting


def _below(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    heading = max(width(name) for name in columns)
    for index, row in enumerate(rows):
        if index:
            click.echo()
        for name, cell in zip(columns, row, strict=True):
            click.echo(f"{padded(name, heading)}  {cell}".rstrip())


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def padded(text: str, room: int) -> str:
    """A text with spaces after it."""
    return text + " " * (room - width(text))


def shortened(text: str, room: int) -> str:
    """A text that is not wider than this; what is left out is told by an ellipsis."""
    if width(text) <= room:
        return text
    kept, taken = [], 1
    for character in text:
        taken += _columns(character)
        if taken > room:
            break
        kept.append(character)
    return "".join(kept) + "…"


def printable(text: str) -> str:
    """A text on one line, without what would steer a terminal: names come from anywhere."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)
