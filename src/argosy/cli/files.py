"""``argosy files``: the files of a job."""

from __future__ import annotations

import os

import click

from .common import connect, full_id, json_option, print_json
from .tables import table
from .units import ago, size


@click.group(
    epilog="""\b
Examples:
  argosy files ls @last
  argosy files get @last result.csv .
  argosy files put 9f31 input.dat
""",
)
def files() -> None:
    """List, fetch and upload a job's files."""


@files.command()
@click.argument("id")
@click.argument("path", default="")
@json_option
def ls(id: str, path: str, as_json: bool) -> None:
    """List the job's directory, or a directory in it."""
    with connect() as client:
        entries = list(client.list_files(full_id(client, id), path))
    if as_json:
        for entry in entries:
            print_json(entry)
    elif not entries:
        click.echo("There are no files.")
    else:
        rows = [
            [
                entry.path + {"directory": "/", "link": "@"}.get(entry.type, "*" if entry.executable else ""),
                size(entry.size) if entry.type == "file" else "-",
                ago(entry.modified),
            ]
            for entry in entries
        ]
        table(["NAME", "SIZE", "CHANGED"], rows)


@files.command()
@click.argument("id")
@click.argument("path")
@click.argument("to", default=".")
def get(id: str, path: str, to: str) -> None:
    """Fetch a file to TO, a file or a directory (default: here). Interrupted transfers go on by themselves."""
    with connect() as client:
        click.echo(client.get_file(full_id(client, id), path, to))


@files.command()
@click.argument("id")
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@click.argument("path", default="")
@click.option("--executable/--no-executable", default=None, help="Make it executable (default: as it is here).")
@json_option
def put(id: str, source: str, path: str, executable: bool | None, as_json: bool) -> None:
    """Upload SOURCE as PATH (default: its own name), before the job is submitted."""
    with connect() as client:
        entry = client.put_file(full_id(client, id), path or os.path.basename(source), source, executable=executable)
    if as_json:
        print_json(entry)
