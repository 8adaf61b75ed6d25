"""``argosy sweep``: many jobs of one request, watched and ended as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice

import click

from argosy.client import Client
from argosy.languages.sweeps.answers import SweepDocument
from argosy.model import InvalidInput, NotFound

from .common import connect, json_option, print_json
from .exits import FAILED, OK
from .groups import Group
from .progress import Progress
from .tables import printable, table
from .units import Duration, ago, utc

PREFIX = "sweep-"
_RECENT = 200
_id = click.argument("id", metavar="SWEEP")


@click.group(
    cls=Group,
    epilog="""\b
Examples:
  argosy submit --sweep a=1..100 -- simulate '{{a}}'     prints the sweep's id
  argosy sweep status @last
  argosy sweep wait @last && argosy sweep status @last
  argosy list --sweep @last --state failed
  argosy sweep terminate @last

A sweep is named by its id, by the beginning or end of it, or as @last, your newest one.
""",
)
def sweep() -> None:
    """Watch and end sweeps: many jobs of one request."""


def is_sweep(name: str) -> bool:
    """Whether a command that takes jobs was given a sweep."""
    return name.startswith(PREFIX)


def went_well(record: SweepDocument) -> bool:
    """Whether each of its jobs finished with exit code 0."""
    return record.state == "finished" and not record.failures


def full_sweep_id(client: Client, name: str) -> str:
    """The id that a name means. Raises NotFound where there is none, InvalidInput where there are several."""
    if name == "@last":
        for newest in client.sweeps():
            return newest.id
        raise NotFound("you have no sweeps; make one with: argosy submit --sweep a=1..10 -- COMMAND '{{a}}'")
    plain = name.removeprefix(PREFIX)
    if len(plain) >= 32:
        return PREFIX + plain
    if len(plain) < 4:
        raise InvalidInput(f"{name!r} is too short for a sweep's id; write 4 characters of it or more, or @last")
    ids = [one.id for one in islice(client.sweeps(), _RECENT)]
    found = [id for id in ids if id.removeprefix(PREFIX).startswith(plain) or id.endswith(plain)]
    if len(found) > 1:
        raise InvalidInput(f"{name!r} may be any of {len(found)} sweeps: {', '.join(found[:3])}, ...; write more of it")
    return found[0] if found else name


@sweep.command("list", epilog="\b\nExample:\n  argosy sweep list --state running")
@click.option("--state", "states", multiple=True, metavar="STATE", help="E.g. running, or terminated.")
@click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="At most so many.")
@json_option
def list_(states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List your sweeps, newest first."""
    with connect() as client:
        found = list(islice(client.sweeps(states=states), limit))
    if as_json:
        for record in found:
            print_json(record)
        return
    if not found:
        click.echo(
            "No sweep is like that."
            if states
            else "No sweeps yet. Make one with: argosy submit --sweep a=1..10 -- COMMAND '{{a}}'"
        )
        return
    rows = [
        [one.id, one.name or "-", one.state, f"{one.ended}/{one.total}", str(one.failures), ago(one.created)]
        for one in found
    ]
    table(["ID", "NAME", "STATE", "ENDED", "FAILURES", "CREATED"], rows)


@sweep.command(epilog="\b\nExample:\n  argosy sweep status @last")
@_id
@json_option
def status(id: str, as_json: bool) -> None:
    """Show a sweep: how many of its jobs are in which state, and how far it is."""
    with connect() as client:
        record = client.sweep(full_sweep_id(client, id))
    show_sweep(record, as_json=as_json)


def show_sweep(record: SweepDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(record)
        return
    lines: list[tuple[str, str | None]] = [
        ("id", record.id),
        ("name", record.name),
        ("state", record.state),
        ("reason", record.reason),
        ("jobs", f"{record.total}, {record.made} made, {record.ended} ended ({record.progress:.1%})"),
        ("failures", str(record.failures) if record.failures else None),
        ("at a time", str(record.window)),
        ("stop after", None if record.stop_after_failures is None else f"{record.stop_after_failures} failures"),
        ("created", f"{utc(record.created)}  ({ago(record.created)})"),
        ("ended", None if record.ended_at is None else f"{utc(record.ended_at)}  ({ago(record.ended_at)})"),
    ]
    for what, value in lines:
        if value is not None:
            click.echo(f"{what:<10} {printable(value)}")
    for state, count in record.counts.items():
        click.echo(f"  {count:>9}  {state}")


@sweep.command(epilog="\b\nExamples:\n  argosy sweep events @last\n  argosy sweep events -f @last")
@_id
@click.option("-f", "--follow", is_flag=True, help="Go on until the sweep is over.")
@json_option
def events(id: str, follow: bool, as_json: bool) -> None:
    """Show what has happened to a sweep itself, and which of its jobs could not be made."""
    with connect(patient=follow) as client:
        show_events(client, id, follow=follow, as_json=as_json)


def show_events(client: Client, id: str, *, follow: bool, as_json: bool) -> None:
    """The events of the sweep of that name."""
    sweep = full_sweep_id(client, id)
    for event in client.stream_sweep(sweep) if follow else client.sweep_events(sweep):
        if as_json:
            print_json(event)
            continue
        which = "" if event.index is None else f"job {event.index}: "
        by = f" (by {event.by})" if event.by else ""
        click.echo(printable(f"{utc(event.time)}  {event.kind:<8} {event.state}  {which}{event.message or ''}{by}"))


@sweep.command(
    epilog="""\b
Example:
  argosy sweep wait --timeout 1h @last

The exit code is 0 if every job finished with exit code 0, 5 if time was up, otherwise 1.
"""
)
@_id
@click.option("--timeout", type=Duration(), metavar="TIME", help="Wait no longer, e.g. 90s or 1:00:00.")
@json_option
def wait(id: str, timeout: float | None, as_json: bool) -> int:
    """Wait until a sweep is over, and say how."""
    with connect(patient=True) as client:
        record = await_sweep(client, full_sweep_id(client, id), timeout)
    show_sweep(record, as_json=as_json)
    return OK if went_well(record) else FAILED


def await_sweep(client: Client, id: str, timeout: float | None) -> SweepDocument:
    def look() -> str:
        record = client.sweep(id)
        return f"{record.state}: {record.ended} of {record.total} jobs ended, {record.failures} failures"

    with Progress() as progress:
        return progress.await_end(lambda seconds: client.wait_sweep(id, seconds), look, timeout)


def _act(id: str, act: Callable[[Client, str], SweepDocument], *, as_json: bool) -> None:
    with connect() as client:
        record = act(client, full_sweep_id(client, id))
    if as_json:
        print_json(record)
    else:
        click.echo(f"{record.id}  {record.state}")


@sweep.command(epilog="\b\nExample:\n  argosy sweep hold @last")
@_id
@json_option
def hold(id: str, as_json: bool) -> None:
    """Make no more jobs of a sweep; those that are there go on."""
    _act(id, Client.hold_sweep, as_json=as_json)


@sweep.command(epilog="\b\nExample:\n  argosy sweep release @last")
@_id
@json_option
def release(id: str, as_json: bool) -> None:
    """Go on with a sweep that is held."""
    _act(id, Client.release_sweep, as_json=as_json)


@sweep.command(epilog="\b\nExample:\n  argosy sweep terminate --wait @last")
@_id
@click.option("--wait", "wait_", is_flag=True, help="Wait until its jobs have ended.")
@json_option
def terminate(id: str, wait_: bool, as_json: bool) -> None:
    """End a sweep with all its jobs. One that has ended stays as it is."""

    def end(client: Client, sweep: str) -> SweepDocument:
        record = client.terminate_sweep(sweep)
        return await_sweep(client, sweep, None) if wait_ else record

    _act(id, end, as_json=as_json)


@sweep.command(epilog="\b\nExample:\n  argosy sweep purge --terminate @last")
@_id
@click.option("--terminate", is_flag=True, help="End it first if it has not ended.")
@json_option
def purge(id: str, terminate: bool, as_json: bool) -> None:
    """Remove a sweep that has ended, with all its jobs and their files."""
    with connect() as client:
        name = full_sweep_id(client, id)
        client.purge_sweep(name, terminate=terminate)
    if as_json:
        print_json({"id": name})


@sweep.command(epilog="\b\nExample:\n  argosy sweep description @last > again.json")
@_id
def description(id: str) -> None:
    """Print what was asked for, as it was sent."""
    with connect() as client:
        sys.stdout.buffer.write(client.sweep_description(full_sweep_id(client, id)))
    sys.stdout.flush()
