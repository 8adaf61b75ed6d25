"""``argosy files``: the files of a job."""

from __future__ import annotations

import os

import click

from .common import connect, full_id, json_option, print_json
from .fetching import STDOUT, fetch
from .groups import Group
from .progress import moving
from .tables import table
from .units import ago, size


@click.group(
    cls=Group,
    epilog="""\b
Examples:
  argosy files ls @last
  argosy files get @last result.csv .
  argosy files put 9f31 input.dat
""",
)
def files() -> None:
    """List, fetch and upload a job's files."""


@files.command(
    epilog="""\b
Examples:
  argosy files ls @last
  argosy files ls @last plots
  argosy files ls --json @last | jq -r 'select(.size > 1000000).path'
"""
)
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


@files.command(
    epilog="""\b
Examples:
  argosy files get @last result.csv
  argosy files get @last plots/energy.png figures/
  argosy files get @last plots
  argosy files get @last results.tar - | tar t

What is printed is where it is now. Links here are followed; into a device or a pipe the file is written.
"""
)
@click.argument("id")
@click.argument("path")
@click.argument("to", default="")
@json_option
def get(id: str, path: str, to: str, as_json: bool) -> None:
    """Fetch a file to TO, a file, a directory (default: here) or - for standard output, or a directory with all that is
    in it. Interrupted transfers go on by themselves."""
    if to == STDOUT and as_json:
        raise click.UsageError("either JSON goes to standard output or the file does")
    with connect() as client:
        targets = fetch(client, full_id(client, id), path, to or None, literal=True)
    for target in targets:
        if as_json:
            print_json({"path": path, "to": target, "size": os.stat(target).st_size})
        else:
            click.echo(target)


@files.command(
    epilog="""\b
Examples:
  argosy files put 9f31 input.dat
  argosy files put 9f31 run-7.sh run.sh --executable
"""
)
@click.argument("id")
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@click.argument("path", default="")
@click.option("--executable/--no-executable", default=None, help="Make it executable (default: as it is here).")
@json_option
def put(id: str, source: str, path: str, executable: bool | None, as_json: bool) -> None:
    """Upload SOURCE as PATH (default: its own name), before the job is submitted."""
    name = path or os.path.basename(source)
    with connect() as client, moving(f"uploading {name}", os.stat(source).st_size) as progress:
        entry = client.put_file(full_id(client, id), name, source, executable=executable, progress=progress)
    if as_json:
        print_json(entry)
