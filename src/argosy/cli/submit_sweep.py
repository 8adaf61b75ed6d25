"""The options of ``argosy submit`` that make a sweep, and the sweep that they make."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from argosy.languages.sweeps.document import SweepDescription, SweepNode
from argosy.languages.sweeps.plan import Value

from .describe import Job
from .exits import report

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?")
_HINT = "--sweep"
#: The largest file that goes along in a description, in bytes.
_INLINE = 1_048_576

sweep_options = [
    click.option(
        "--sweep",
        "sweeps",
        metavar="NAME=VALUES",
        multiple=True,
        help="A parameter, written {{NAME}} in the command: 1..100, 0..1..0.1 or x,y,z. Several: each combination.",
    ),
    click.option("--lockstep", is_flag=True, help="The parameters of --sweep advance together."),
    click.option("--window", type=click.IntRange(1), metavar="N", help="At most N jobs of a sweep at a time."),
    click.option(
        "--stop-after", type=click.IntRange(1), metavar="N", help="Give up a sweep when N of its jobs have failed."
    ),
]


def nodes(values: Sequence[str]) -> list[SweepNode]:
    """The parameters of ``--sweep`` options."""
    return [_node(value) for value in values]


def _node(text: str) -> SweepNode:
    name, equals, values = text.partition("=")
    if not name or not equals or not values:
        raise click.BadParameter(f"{text!r}: write NAME=1..100 or NAME=x,y,z", param_hint=_HINT)
    match = _RANGE.fullmatch(values)
    if match is None:
        return SweepNode(parameter=name, values=[_value(one) for one in values.split(",")])
    first, last, step = (None if one is None else _number(one) for one in match.groups())
    return SweepNode(parameter=name, from_=first, to=last, step=step)


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _value(text: str) -> Value:
    """A number where its text is that of the number, so that 007 and 1.50 stay what they are."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text:
            return number
    return text


def sweep_of(
    work: Job, values: Sequence[str], *, lockstep: bool, window: int | None, stop_after: int | None, held: bool
) -> SweepDescription:
    """The sweep of a command with ``--sweep`` options. Input files go along in it."""
    _take_along(work)
    parameters = nodes(values)
    node = parameters[0]
    if len(parameters) > 1:
        node = SweepNode(zip=parameters) if lockstep else SweepNode(product=parameters)
    description: dict[str, Any] = msgspec.to_builtins(work.description)
    _tell_of_unused(parameters, msgspec.json.encode(description).decode())
    return SweepDescription(
        description=description,
        sweep=node,
        name=work.description.name,
        window=window,
        stop_after_failures=stop_after,
        held=held,
    )


def _tell_of_unused(parameters: Sequence[SweepNode], job: str) -> None:
    """A parameter that stands nowhere is most often a misspelt one. It is no fault: repeats are swept so, too."""
    for node in parameters:
        if node.parameter is not None and not re.search(r"\{\{\s*" + re.escape(node.parameter) + r"\s*\}\}", job):
            report(f"note: {{{{{node.parameter}}}}} stands nowhere in the job: it is the same for all its values")


def _take_along(work: Job) -> None:
    for file in work.description.inputs:
        here = work.uploads.get(file.path)
        if here is None:
            continue
        try:
            if os.path.getsize(here) > _INLINE:
                raise ValueError("more than 1 MiB")
            with open(here, encoding="utf-8") as opened:
                # What stands in the file is the file's; nothing in it is a parameter.
                file.content = opened.read().replace("{{", "{{{{")
        except ValueError as error:
            raise click.BadParameter(
                f"{here!r} cannot go along with a sweep: {error}. Only texts to 1 MiB can; put others where the jobs "
                "find them, and name them there",
                param_hint="--input",
            ) from None
