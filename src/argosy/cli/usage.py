"""``argosy usage``: what jobs have used."""

from __future__ import annotations

import sys
from typing import Any

import click

from argosy.languages.documents_usage import UsageSumDocument

from .common import connect, full_id, json_option, print_json
from .exits import OK
from .tables import table
from .units import size

_NONE = "No job has ended in that time."
_GROUPS = ("user", "share", "resource", "account", "day")


@click.command(
    epilog="""\b
Examples:
  argosy usage                                      what your jobs have used, by share
  argosy usage --by day --from 2026-05-01 --until 2026-06-01
  argosy usage --by user --by share --csv > may.csv
  argosy usage --records --job @last --json
  argosy usage --records --ur > records.xml         usage records of the OGF, 1.0

Periods are about the end of jobs. For administrators of the service: everybody's usage, or that of --user.
""",
)
@click.option("--by", multiple=True, type=click.Choice(_GROUPS), help="Sum up by this; repeatable (default: share).")
@click.option("--from", "since", metavar="TIME", help="Of jobs that ended then or later: RFC 3339, or a UTC day.")
@click.option("--until", metavar="TIME", help="Of jobs that ended before that.")
@click.option("--user", help="Whose, where you may see it.")
@click.option("--to", "resource", metavar="RESOURCE", help="On this resource only.")
@click.option("--records", is_flag=True, help="Each job by itself.")
@click.option("--job", metavar="ID", help="With --records: of this job.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--ur", "as_ur", is_flag=True, help="With --records: print usage records of the OGF (XML).")
@json_option
def usage(
    by: tuple[str, ...],
    since: str | None,
    until: str | None,
    user: str | None,
    resource: str | None,
    records: bool,
    job: str | None,
    as_csv: bool,
    as_ur: bool,
    as_json: bool,
) -> int:
    """Show what jobs have used."""
    if sum((as_csv, as_ur, as_json)) > 1:
        raise click.UsageError("choose one of --csv, --ur and --json")
    if (job is not None or as_ur) and not records:
        raise click.UsageError("--job and --ur are about single jobs: give --records too")
    if by and records:
        raise click.UsageError("--records are not summed up: leave --by out")
    asked: dict[str, Any] = {"since": since, "until": until, "user": user, "resource": resource}
    groups = list(by) or ["share"]
    with connect() as client:
        if records:
            asked["activity"] = None if job is None else full_id(client, job)
        if as_csv or as_ur:
            pieces = client.usage_text("ur" if as_ur else "csv", by=None if records else groups, **asked)
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        elif records:
            _show_records(client.usage_records(**asked), as_json=as_json)
        else:
            found = client.usage(groups, **asked).items
            if as_json:
                for one in found:
                    print_json(one)
            else:
                _show_sums(groups, found)
    return OK


def _show_records(found: Any, *, as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
        return
    rows = [
        [
            one.activity,
            one.user,
            one.share or "-",
            one.state,
            one.final,
            "-" if one.cores is None else str(one.cores),
            _hours(one.cpu_seconds),
            _hours(one.wall_seconds),
            size(one.max_rss),
        ]
        for one in found
    ]
    if not rows:
        click.echo(_NONE)
        return
    table(["ID", "USER", "SHARE", "STATE", "END", "CORES", "CPU", "WALL", "MEMORY"], rows)


def _show_sums(groups: list[str], found: list[UsageSumDocument]) -> None:
    if not found:
        click.echo(_NONE)
        return
    rows = [
        [
            *(str(getattr(one, group) or "-") for group in groups),
            str(one.jobs),
            str(one.failed),
            _hours(one.cpu_seconds) + ("*" if one.unmeasured else ""),
            _hours(one.wall_seconds),
            _hours(one.core_seconds),
            size(one.max_rss),
        ]
        for one in found
    ]
    table([*(group.upper() for group in groups), "JOBS", "FAILED", "CPU", "WALL", "CORES x WALL", "MEMORY"], rows)
    if any(one.unmeasured for one in found):
        click.echo("* of some jobs nobody measured the CPU time", err=True)


def _hours(seconds: float | None) -> str:
    """Hours, minutes and seconds; below a minute with two digits more."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
