"""Commands that look: list, status, logs, events."""

from __future__ import annotations

import contextlib
import sys
from itertools import islice

import click

from argosy.client import Client
from argosy.languages.documents import ActivityDocument
from argosy.model import NotFound

from .common import connect, full_id, full_ids, json_option, pairs, print_json
from .details import show_more, told, told_as
from .exits import FAILED, OK
from .fetching import show
from .sweeps import full_sweep_id, is_sweep, show_events, show_sweep
from .tables import printable, table
from .units import Moment, ago, size, span, utc


@click.command(
    "list",
    epilog="""\b
Examples:
  argosy list --state running --state pending
  argosy list --tag project=weather --limit 100
  argosy list --state final --since 2h
  argosy list --json | jq -r 'select(.exit_code != 0) | .id'
  argosy list --state failed sweep-01930a
""",
)
@click.option(
    "--state", "states", multiple=True, metavar="STATE", help="E.g. running, running:lrms:queued, active, final."
)
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Only those with this tag.")
@click.option("--name", help="Only those of this name.")
@click.option("--to", "resource", metavar="RESOURCE", help="Only those of this resource.")
@click.option("--since", type=Moment(), metavar="TIME", help="Created then or later: 2h (ago), or RFC 3339.")
@click.option("--until", type=Moment(), metavar="TIME", help="Created before then.")
@click.option("--owner", metavar="NAME", help="For operators: those of somebody else; * is everybody's.")
@click.argument("of", metavar="[SWEEP]", required=False)
@click.option("--sweep", metavar="SWEEP", help="Only those of this sweep; see `argosy sweep list`.")
@click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="At most so many.")
@json_option
def list_(
    of: str | None,
    states: tuple[str, ...],
    tags: tuple[str, ...],
    name: str | None,
    resource: str | None,
    since: str | None,
    until: str | None,
    owner: str | None,
    sweep: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List your jobs, newest first; those of a sweep where one is named."""
    if of is not None and (sweep is not None or not is_sweep(of)):
        raise click.UsageError("name one sweep, by its id: sweep-...; jobs are shown with: argosy status ID")
    sweep = sweep or of
    with connect() as client:
        found = client.list(
            states=states,
            tags=pairs("--tag", tags),
            name=name,
            resource=resource,
            created_from=since,
            created_before=until,
            owner=owner,
            # One that does not exist is told, and is not merely empty.
            sweep=None if sweep is None else client.sweep(full_sweep_id(client, sweep)).id,
            page_size=min(limit, 200),
        )
        records = list(islice(found, limit))
    if as_json:
        for record in records:
            print_json(record)
        return
    if not records:
        filtered = states or tags or name or resource or sweep or since or until or owner
        click.echo("No job is like that." if filtered else "No jobs yet. Start one with: argosy run -- hostname")
        return
    rows = [
        [r.id, r.name or "-", r.state, "-" if r.exit_code is None else str(r.exit_code), r.share or "-", ago(r.created)]
        for r in records
    ]
    headings = ["ID", "NAME", "STATE", "EXIT", "SHARE", "CREATED"]
    if owner is not None:
        headings.append("OWNER")
        rows = [[*row, record.owner] for row, record in zip(rows, records, strict=True)]
    table(headings, rows)


@click.command(
    epilog="""\b
Examples:
  argosy status @last
  argosy status sweep-01930a                how far it is: its jobs by their state
  argosy status -v @last                    with where its time went, and its history
  argosy status -vv @last                   and what was asked for
  argosy status --model bes --json @last    in the words of BES
  argosy status --model glue2 --xml @last
""",
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("-v", "--verbose", count=True, help="Show more; twice: all.")
@click.option(
    "--model",
    type=click.Choice(["ges", "bes", "glue2", "psij", "emi-es", "arc-rest", "drmaa2"]),
    help="Show the state in the words of this information model, too.",
)
@click.option("--xml", "as_xml", is_flag=True, help="Print XML of the model: bes, glue2 or emi-es.")
@json_option
def status(ids: tuple[str, ...], verbose: int, model: str | None, as_xml: bool, as_json: bool) -> int:
    """Show jobs, and sweeps, in detail. Those that do not exist are told on stderr, and the exit code is 1."""
    code = OK
    verbosity = "full" if verbose else None
    if as_xml and (as_json or model not in ("bes", "glue2", "emi-es")):
        raise click.UsageError("--xml goes with --model bes, glue2 or emi-es, and without --json")
    swept = [name for name in ids if is_sweep(name)]
    if swept and (verbose or model):
        raise click.UsageError("a sweep has no verbosity and no model; its jobs have: argosy list SWEEP")
    with connect() as client:
        sweeps = [client.sweep(full_sweep_id(client, name)) for name in swept]
        for number, swept_one in enumerate(sweeps):
            if number and not as_json:
                click.echo()
            show_sweep(swept_one, as_json=as_json)
        names = full_ids(client, [name for name in ids if not is_sweep(name)])
        if not names:
            return code
        if as_xml and model is not None:
            one = len(names) == 1
            content = (
                client.status_xml(names[0], model, verbosity=verbosity) if one else client.statuses_xml(names, model)
            )
            _write(content + b"\n")
            return code
        if len(names) == 1:
            found = [client.status(names[0], verbosity=verbosity, model=model)]
        else:
            found = []
            for result in client.statuses(names, verbosity=verbosity, model=model):
                if result.activity is not None:
                    found.append(result.activity)
                elif result.problem is not None:
                    click.echo(f"argosy: {result.problem.detail}", err=True)
                    code = FAILED
    for index, record in enumerate(found):
        if as_json:
            print_json(record)
        else:
            if index or swept:
                click.echo()
            _show(record)
            show_more(record, verbose)
    return code


def _show(record: ActivityDocument) -> None:
    usage = record.usage
    lines: list[tuple[str, str | None]] = [
        ("id", record.id),
        ("name", record.name),
        ("state", record.state),
        (told_as(record), told(record)),
        ("reason", record.reason),
        ("exit code", None if record.exit_code is None else str(record.exit_code)),
        ("signal", None if record.signal is None else str(record.signal)),
        ("share", record.share),
        ("environments", ", ".join(record.environments) or None),
        ("sweep", record.sweep),
        ("values", ", ".join(f"{key}={value}" for key, value in record.parameters.items()) or None),
        ("native id", record.native_id),
        ("hosts", ", ".join(record.hosts) or None),
        *[(what, _time(when)) for what, when in _times(record)],
        ("cpu time", None if usage is None or usage.cpu_seconds is None else f"{usage.cpu_seconds:.1f} s"),
        ("wall time", None if usage is None or usage.wall_seconds is None else span(usage.wall_seconds)),
        ("memory", None if usage is None or usage.max_rss is None else size(usage.max_rss)),
        ("tags", ", ".join(f"{key}={value}" for key, value in record.tags.items()) or None),
    ]
    for what, value in lines:
        if value is not None:
            click.echo(f"{what:<12} {printable(value)}")


def _times(record: ActivityDocument) -> list[tuple[str, str | None]]:
    return [
        ("created", record.created),
        ("submitted", record.submitted),
        ("starts", record.start_estimate if record.started is None else None),
        ("started", record.started),
        ("ended", record.ended),
        ("waits since", record.waiting_since),
        ("expires", record.expires),
    ]


def _time(when: str | None) -> str | None:
    return None if when is None else f"{utc(when)}  ({ago(when)})"


@click.command(
    epilog="""\b
Examples:
  argosy logs @last
  argosy logs -f --stderr 9f31
""",
)
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--stderr", "errors", is_flag=True, help="Standard error instead of standard output.")
def logs(id: str, follow: bool, errors: bool) -> None:
    """Show what a job has written; of a sweep what each of its jobs has, one after the other."""
    if is_sweep(id) and follow:
        raise click.UsageError("follow one of its jobs: argosy list SWEEP shows them")
    with connect(patient=follow) as client:
        if is_sweep(id):
            _logs_of_sweep(client, id, errors=errors)
            return
        name = full_id(client, id)
        path = _stream(client, name, errors)
        if follow:
            for piece in client.follow(name, path):
                _write(piece)
            return
        try:
            show(client, name, path)
        except NotFound:
            record = client.status(name)
            raise NotFound(f"the job, {record.state}, has written no {path}") from None


def _logs_of_sweep(client: Client, id: str, *, errors: bool) -> None:
    """In the order of its jobs, each under a heading as those of `tail`, those too that have written nothing."""
    jobs = sorted(
        (int(record.parameters.get("index", 0)), record.id)
        for record in client.list(sweep=client.sweep(full_sweep_id(client, id)).id)
    )
    for number, (index, job) in enumerate(jobs):
        if number:
            _write(b"\n")
        _write(f"==> job {index}: {job} <==\n".encode())
        with contextlib.suppress(NotFound):
            show(client, job, _stream(client, job, errors))


def _stream(client: Client, id: str, errors: bool) -> str:
    description = client.description(id)
    return description.stderr if errors else description.stdout


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@click.command(epilog="\b\nExample:\n  argosy events -f @last")
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@json_option
def events(id: str, follow: bool, as_json: bool) -> None:
    """Show what has happened to a job, or to a sweep itself."""
    with connect(patient=follow) as client:
        if is_sweep(id):
            show_events(client, id, follow=follow, as_json=as_json)
            return
        name = full_id(client, id)
        client.status(name)
        for event in client.stream([name], after=0) if follow else client.events(name):
            if as_json:
                print_json(event)
            else:
                told = printable(" ".join(filter(None, [event.message, event.by and f"(by {event.by})"])))
                click.echo(f"{utc(event.time)}  {event.kind:<16} {event.state:<26} {told}".rstrip())
