"""What ``argosy status -v`` shows beyond a job's record: the words of another model, where time went, its history."""

from __future__ import annotations

import click

from argosy.languages.documents import ActivityDocument, EventDocument
from argosy.languages.looks import SpentDocument
from argosy.languages.native import Description
from argosy.model.shell import expand, quote

from .tables import printable
from .units import ago, span, utc

_PHASES = [
    ("held", "held by its owner"),
    ("pending", "pending"),
    ("staged_in", "input staged"),
    ("waited", "waited in the queue"),
    ("ran", "ran"),
    ("suspended", "suspended"),
    ("staged_out", "output staged"),
    ("ended", "being ended"),
]


def told_as(record: ActivityDocument) -> str:
    """The label of `told`: the model."""
    return "" if record.told is None else record.told.model


def told(record: ActivityDocument) -> str | None:
    """The state in the model's words; None where no model was asked for."""
    if record.told is None:
        return None
    attributes = f" ({', '.join(record.told.attributes)})" if record.told.attributes else ""
    return record.told.state + attributes


def show_more(record: ActivityDocument, verbose: int) -> None:
    """Print what was asked for with ``-v`` once, or twice."""
    if not verbose:
        return
    if record.spent is not None:
        _section("time")
        for name, words, seconds in _spent(record.spent):
            click.echo(f"  {words:<20} {_duration(seconds)}" + ("" if name != "total" or record.final else " so far"))
    if record.history is not None:
        _section("history")
        for event in record.history:
            click.echo("  " + _event(event))
    if verbose > 1 and record.description is not None:
        import msgspec

        _section("command")
        click.echo("  " + printable(_command(record.description)))
        _section("description")
        text = msgspec.json.format(msgspec.json.encode(record.description), indent=2).decode()
        for line in text.splitlines():
            click.echo("  " + printable(line))


def _command(description: Description) -> str:
    """As one writes it in a shell: what is literal between quotes, what is replaced where it runs as a variable."""
    return " ".join([quote(description.executable), *map(expand, description.arguments)])


def _section(name: str) -> None:
    click.echo(f"\n{name}")


def _spent(spent: SpentDocument) -> list[tuple[str, str, float]]:
    phases = [(name, words, getattr(spent, name)) for name, words in _PHASES]
    return [phase for phase in phases if phase[2] > 0] + [("total", "in all", spent.total)]


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{span(seconds)} ({seconds:.0f} s)"


def _event(event: EventDocument) -> str:
    parts = [
        utc(event.time),
        f"{'(' + ago(event.time) + ')':<16}",
        f"{event.state:<26}",
        "" if event.kind == "state" else f"[{event.kind}]",
        event.message or "",
        f"by {event.by}" if event.by else "",
    ]
    return printable(" ".join(part for part in parts if part)).rstrip()
