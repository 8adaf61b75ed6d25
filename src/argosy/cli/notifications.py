"""``argosy notifications``: URLs that are told what happens, and messages that could not be delivered."""

from __future__ import annotations

from typing import TextIO

import click

from .common import connect, full_id, json_option, pairs, print_json
from .exits import FAILED, OK, report
from .groups import Group
from .tables import table
from .units import Lifetime, ago

#: How many dead letters are asked for again in one request.
_AT_A_TIME = 1000


@click.group(
    cls=Group,
    epilog="""\b
Examples:
  argosy notifications subscribe --state final https://receiver.example.org/hook
  argosy notifications subscribe --job @last https://receiver.example.org/hook
  argosy notifications list
  argosy notifications rotate ID
  argosy notifications dead
  argosy notifications resend --all
""",
)
def notifications() -> None:
    """Have URLs told what happens to jobs, and see what could not be told."""


@notifications.command(
    epilog="""\b
Examples:
  argosy notifications subscribe --state final --tag project=weather https://receiver.example.org/hook
  argosy notifications subscribe --job 9f31 --json https://receiver.example.org/hook
""",
)
@click.argument("url")
@click.option("--job", metavar="ID", help="Of this job only; otherwise of all of yours.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="E.g. final, or running:lrms; repeatable.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Kinds of events; '*' is all; repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Only of jobs with this tag; repeatable.")
@click.option("--name", help="Only of jobs of this name.")
@click.option("--to", "resource", metavar="RESOURCE", help="Only of jobs of this resource.")
@click.option("--secret-file", type=click.File("r"), metavar="FILE", help="What to sign with; made where not given.")
@json_option
def subscribe(
    url: str,
    job: str | None,
    states: tuple[str, ...],
    kinds: tuple[str, ...],
    tags: tuple[str, ...],
    name: str | None,
    resource: str | None,
    secret_file: TextIO | None,
    as_json: bool,
) -> None:
    """Have a URL told what happens from now on. Prints the secret of the signatures, this once."""
    secret = None if secret_file is None else secret_file.read().strip()
    with connect() as client:
        made = client.subscribe(
            url,
            activity=None if job is None else full_id(client, job),
            states=states,
            kinds=kinds,
            tags=pairs("--tag", tags),
            resource=resource,
            name=name,
            secret=secret,
        )
    if as_json:
        print_json(made)
        return
    click.echo(made.id)
    if secret is None:
        click.echo(f"secret: {made.secret}", err=True)


@notifications.command("list", epilog="\b\nExample:\n  argosy notifications list --job @last")
@click.option("--job", metavar="ID", help="Those to this job only.")
@json_option
def list_(job: str | None, as_json: bool) -> None:
    """List what is subscribed to; never the secrets."""
    with connect() as client:
        found = list(client.subscriptions(activity=None if job is None else full_id(client, job)))
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        click.echo("Nobody is told anything. See: argosy notifications subscribe --help")
        return
    rows = [
        [
            one.id,
            one.activity or _filters(one.tags, one.resource, one.name),
            ", ".join(one.states) or "all",
            (one.why or "ended") if one.ended else "active",
            one.url,
        ]
        for one in found
    ]
    table(["ID", "JOBS", "STATES", "NOW", "URL"], rows)


def _filters(tags: dict[str, str], resource: str | None, name: str | None) -> str:
    words = [f"{key}={value}" for key, value in tags.items()]
    words += [f"to {resource}"] if resource else []
    words += [f"name {name}"] if name else []
    return ", ".join(words) or "all"


@notifications.command(
    epilog="""\b
Examples:
  argosy notifications rotate 01930a...
  argosy notifications rotate --overlap 7d 01930a...
  argosy notifications rotate --overlap 0s 01930a...
""",
)
@click.argument("id")
@click.option("--overlap", type=Lifetime(zero=True), help="How long the old secret signs too, e.g. 2h; 0s: not at all.")
@click.option("--secret-file", type=click.File("r"), metavar="FILE", help="The new secret; made where not given.")
@json_option
def rotate(id: str, overlap: float | None, secret_file: TextIO | None, as_json: bool) -> None:
    """Sign with another secret. Prints it, this once; the old one signs too for a while."""
    secret = None if secret_file is None else secret_file.read().strip()
    with connect() as client:
        made = client.rotate_secret(id, secret=secret, overlap=overlap)
    if as_json:
        print_json(made)
        return
    if made.old_secrets_until is None:
        click.echo("Only the new secret signs from now on.")
    else:
        click.echo(f"The old secret signs too until {made.old_secrets_until}.")
    if secret is None:
        click.echo(f"secret: {made.secret}", err=True)


@notifications.command(epilog="\b\nExample:\n  argosy notifications unsubscribe 01930a...")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
def unsubscribe(ids: tuple[str, ...], as_json: bool) -> None:
    """Tell URLs nothing more."""
    with connect() as client:
        for id in ids:
            client.unsubscribe(id)
            if as_json:
                print_json({"id": id})


@notifications.command(epilog="\b\nExample:\n  argosy notifications dead --json | jq .reason")
@json_option
def dead(as_json: bool) -> None:
    """List messages that could not be delivered."""
    with connect() as client:
        found = list(client.dead_letters())
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        click.echo("There are no dead letters.")
        return
    rows = [[str(one.number), one.activity, one.event.state, ago(one.died), one.url, one.reason] for one in found]
    table(["NUMBER", "JOB", "STATE", "GIVEN UP", "URL", "WHY"], rows)


@notifications.command(epilog="\b\nExamples:\n  argosy notifications resend 17 18\n  argosy notifications resend --all")
@click.argument("numbers", metavar="NUMBER...", nargs=-1, type=click.IntRange(0))
@click.option("--all", "every", is_flag=True, help="All of them.")
@json_option
def resend(numbers: tuple[int, ...], every: bool, as_json: bool) -> int:
    """Try dead letters again."""
    if every == bool(numbers):
        raise click.UsageError("give either the numbers that `argosy notifications dead` shows, or --all")
    code = OK
    with connect() as client:
        asked = [one.number for one in client.dead_letters()] if every else list(numbers)
        for start in range(0, len(asked), _AT_A_TIME):
            some = asked[start : start + _AT_A_TIME]
            for number, problem in zip(some, client.resend(some), strict=True):
                if problem is not None:
                    code = FAILED
                    report(problem.detail)
                elif as_json:
                    print_json({"number": number})
    return code
