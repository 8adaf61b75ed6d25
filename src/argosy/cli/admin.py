"""Commands for those who run the service: admin drain, resume, status, stop."""

from __future__ import annotations

import click

from argosy.languages.documents import ServiceStatus

from .common import connect, json_option, print_json
from .exits import FAILED, OK
from .groups import Group
from .tables import printable, table
from .units import Duration, ago, size, span, utc


@click.group(cls=Group, epilog="\b\nExample:\n  argosy admin drain --message 'new disks; back at 14:00'")
def admin() -> None:
    """For those who run the service: drain it, see what it does, stop it."""


@admin.command(
    epilog="""\b
Examples:
  argosy admin drain --message "new disks; back at 14:00" --retry-after 2h
  argosy admin resume
"""
)
@click.option("--message", metavar="TEXT", help="What those are told who submit.")
@click.option(
    "--retry-after", type=Duration(), default="5m", show_default=True, metavar="TIME", help="When to ask again."
)
@json_option
def drain(message: str | None, retry_after: float, as_json: bool) -> None:
    """Take no new activities, across restarts too. Everything else goes on."""
    with connect() as client:
        client.drain(message, retry_after=retry_after)
    _done({"drained": True, "message": message}, as_json, "no new activities are taken, until: argosy admin resume")


@admin.command(epilog="\b\nExample:\n  argosy admin resume")
@json_option
def resume(as_json: bool) -> None:
    """Take new activities again."""
    with connect() as client:
        client.admit()
    _done({"drained": False}, as_json, "new activities are taken")


@admin.command(epilog="\b\nExamples:\n  argosy admin stop --gently --within 10m")
@click.option("--gently", is_flag=True, help="Finish what is being recorded, submitted and transferred first.")
@click.option(
    "--within", type=Duration(), default="60s", show_default=True, metavar="TIME", help="But stop after so long."
)
@json_option
def stop(gently: bool, within: float, as_json: bool) -> None:
    """Stop the service. Jobs go on; the next one takes them up."""
    with connect() as client:
        client.stop_service(within=within if gently else 0.0)
    _done({"stopping": True}, as_json, "it stops; jobs go on, and the next service takes them up")


@admin.command(
    epilog="""\b
Examples:
  argosy admin status
  argosy admin status --json | jq .troubles

The exit code is 1 where something keeps the service from its work, 3 where it does not answer.
"""
)
@json_option
def status(as_json: bool) -> int:
    """Show what the service is doing, and what keeps it from that."""
    with connect() as client:
        found = client.service_status()
    if as_json:
        print_json(found)
    else:
        _show(found)
    return FAILED if found.troubles else OK


def _done(document: dict[str, object], as_json: bool, words: str) -> None:
    if as_json:
        print_json(document)
    else:
        click.echo(words)


def _show(found: ServiceStatus) -> None:
    for one in found.troubles:
        name = "" if one.name is None else f" {one.name}"
        click.echo(printable(f"trouble  {one.part}{name}, since {utc(one.since)} ({ago(one.since)}): {one.words}"))
    work = found.work
    doing = ", ".join(f"{count} {what}" for what, count in sorted(work.performing.items())) or "nothing"
    lines = [
        ("worker", f"{found.worker}, up {span(found.uptime)}" + (", stopping" if found.stopping else "")),
        ("store", f"{size(found.store_bytes)}, {sum(found.activities.values())} activities"),
        (
            "doing",
            f"{doing}; {work.waiting} waiting, {work.recording} recording, {work.trying_again} to be tried again",
        ),
        ("beside", f"{found.streams} streams, {found.chores} chores, {len(found.workers)} workers"),
    ]
    if found.drained is not None:
        told = f": {found.drained.message}" if found.drained.message else ""
        lines.insert(0, ("drained", f"by {found.drained.by}, {ago(found.drained.since)}{told}"))
    for what, value in lines:
        click.echo(f"{what:<8} {printable(value)}")
    if found.activities:
        click.echo()
        table(["STATE", "ACTIVITIES"], [[state, str(count)] for state, count in sorted(found.activities.items())])
    click.echo()
    rows = [
        [
            one.resource,
            one.system,
            "yes" if one.opened else f"no: {one.why_unknown or 'not yet'}",
            str(sum(one.unfinished.values())),
            "-" if one.last_error is None else f"{ago(one.last_error.time)}: {one.last_error.words}",
        ]
        for one in found.resources
    ]
    table(["RESOURCE", "SYSTEM", "OPEN", "UNFINISHED", "LAST ERROR"], rows)
