"""``argosy submit``: a job to be looked at later."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from argosy.client import Description
from argosy.languages.native import decode

from .common import connect, json_option, print_json
from .describe import Job, job, job_options
from .run import upload


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  argosy submit --name nightly --time 2h -- ./nightly.sh
  argosy submit -f job.json
  jq '.arguments += ["7"]' job.json | argosy submit -f -
  id=$(argosy submit --key run-42 -- ./simulate)     repeated, it gives the same job

A description's fields are those of the native REST interface; see /v1/openapi.json of the service.
""",
)
@job_options
@click.option("-f", "--file", metavar="FILE", help="A description in JSON instead of a command; - is stdin.")
@click.option("--held", is_flag=True, help="Let it wait for `argosy start`.")
@click.option("--key", metavar="TEXT", help="A submission id of your own: a repeat answers with the first job.")
@json_option
def submit(
    command: tuple[str, ...], file: str | None, held: bool, key: str | None, as_json: bool, **options: Any
) -> None:
    """Submit a job and print its id."""
    if (file is None) == (not command):
        raise click.UsageError("give either a command, e.g. argosy submit -- ./job.sh, or a description with --file")
    work = Job(_read(file), {}, {}) if file is not None else job(command, **options)
    if held:
        work.description.held = True
    with connect() as client:
        record = client.submit(work.description, key=key)
        upload(client, record.id, work)
    if as_json:
        print_json(record)
    else:
        click.echo(record.id)


def _read(file: str) -> Description:
    return decode(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
