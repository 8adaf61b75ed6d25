"""``argosy transfers``: what is being moved for a job."""

from __future__ import annotations

import click

from .common import connect, full_id, json_option, print_json
from .tables import table
from .units import size


@click.command(epilog="\b\nExample:\n  argosy transfers @last")
@click.argument("id")
@json_option
def transfers(id: str, as_json: bool) -> None:
    """Show the files that the service moves for a job, and has moved in the stage under way.

    What was moved before is told by `argosy events`.
    """
    with connect() as client:
        found = client.transfers(full_id(client, id))
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        click.echo("Nothing is being moved.")
        return
    rows = []
    for one in found:
        state = "failed" if one.error is not None else "done" if one.ended is not None else "moving"
        of = size(one.moved) if one.total in (None, one.moved) else f"{size(one.moved)} of {size(one.total or 0)}"
        rows.append([one.path, one.direction, state, of, f"{size(one.rate)}/s", one.error or one.place or ""])
    table(["FILE", "", "STATE", "MOVED", "RATE", "FROM OR TO"], rows)
