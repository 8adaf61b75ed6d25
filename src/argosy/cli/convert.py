"""``argosy convert``: a description in another language."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

from argosy.languages.contract import Note, Parsed, Unsupported
from argosy.model import InvalidInput

from .exits import FAILED, OK, report

language_option = click.option(
    "--language", metavar="LANG", help="The language of FILE: json, jsdl, script, ...; found by its content otherwise."
)
strict_option = click.option(
    "--strict", is_flag=True, help="Hold FILE to every rule of its language, rather than accept what is usually meant."
)


@click.command(
    epilog="""\b
Examples:
  argosy convert job.jsdl                       as JSON
  argosy convert job.sh --to jsdl > job.jsdl
  argosy convert --strict job.jsdl --to json    only if it is valid by the schemas of JSDL

What the conversion loses is told on stderr. The exit code is 1 where FILE cannot be read or asks for what is not
supported; the result is printed all the same where there is one. With --to json a sweep is an array of its jobs.
""",
)
@click.argument("file", metavar="FILE")
@click.option("--from", "source", metavar="LANG", help="The language of FILE; found by its content otherwise.")
@click.option("--to", "target", metavar="LANG", default="json", show_default=True, help="The language to print.")
@strict_option
def convert(file: str, source: str | None, target: str, strict: bool) -> int:
    """Print a description in another language. FILE may be - for stdin."""
    from argosy.languages import registry

    to = registry.language(target)
    parsed = registry.parse(read(file), name=source, strict=strict)
    code = tell(parsed.notes)
    if parsed.count == 1:
        written = to.write(parsed.one())
        sys.stdout.buffer.write(written.data)
        tell(written.lost, what="lost")
    elif to.name == "json":
        _several(parsed)
    elif parsed.count == 0:
        raise _empty(parsed)
    else:
        raise InvalidInput(f"it describes {parsed.count} jobs, and only json has them in one document: --to json")
    sys.stdout.flush()
    return code


def _several(parsed: Parsed) -> None:
    """The jobs as a JSON array, one a line and one at a time."""
    from argosy.languages import native

    if parsed.count == 0:
        raise _empty(parsed)
    before = b"[\n"
    for description in parsed.descriptions:
        sys.stdout.buffer.write(before + native.encode(description))
        before = b",\n"
    sys.stdout.buffer.write(b"\n]\n")


def _empty(parsed: Parsed) -> InvalidInput:
    refused = [note.element for note in parsed.notes if note.refused]
    return Unsupported("nothing in it can be run", elements=refused)


def read(file: str) -> bytes:
    """A file, or stdin for ``-``; not more than what a document may be long."""
    from argosy.languages.contract import MAX_BYTES

    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with open(file, "rb") as opened:
        return opened.read(MAX_BYTES + 1)


def tell(notes: Sequence[Note], *, what: str = "") -> int:
    """Notes on stderr; the exit code is that of a failure where one of them is a refusal."""
    for line in _lines(notes, what):
        report(line)
    return FAILED if any(note.refused for note in notes) else OK


def _lines(notes: Sequence[Note], what: str) -> Iterator[str]:
    for note in notes:
        word = what or ("not supported" if note.refused else "note")
        yield f"{word}: {note}"
