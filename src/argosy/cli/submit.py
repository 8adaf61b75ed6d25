"""``argosy submit``: a job to be looked at later, or several of one description."""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import click

from argosy.client import Client
from argosy.languages.contract import MAX_BYTES, Parsed
from argosy.model import InvalidInput

from .common import connect, json_option, print_json
from .convert import language_option, read, strict_option, tell
from .describe import Job, job, job_options
from .exits import FAILED, OK, report
from .run import upload

#: So many jobs of a sweep are submitted in one request.
_AT_A_TIME = 1000
_DASHES = "argosy.dashes"


class _Submit(click.Command):
    """Remembers whether ``--`` was written: what follows it is a command, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_DASHES] = "--" in args
        return super().parse_args(ctx, args)


@click.command(
    cls=_Submit,
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  argosy submit --name nightly --time 2h -- ./nightly.sh
  argosy submit job.json
  argosy submit -f job.jsdl                          any language; see `argosy convert`
  argosy submit job.sh                               a script with #SBATCH, #PBS, #$ or #BSUB lines
  jq '.arguments += ["7"]' job.json | argosy submit -f -
  id=$(argosy submit --key run-42 -- ./simulate)     repeated, it gives the same job

A file alone, without `--`, is a description if it reads like one. Of the options of a job only --to counts beside a
description. One that is a sweep or an array gives several jobs, and prints an id for each.
""",
)
@job_options
@click.option("-f", "--file", metavar="FILE", help="A description instead of a command; - is stdin.")
@language_option
@strict_option
@click.option("--held", is_flag=True, help="Let it wait for `argosy start`.")
@click.option("--key", metavar="TEXT", help="A submission id of your own: a repeat answers with the first job.")
@json_option
@click.pass_context
def submit(
    ctx: click.Context,
    /,
    command: tuple[str, ...],
    file: str | None,
    language: str | None,
    strict: bool,
    held: bool,
    key: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Submit a job and print its id."""
    if file is None and not ctx.meta[_DASHES] and _is_description(command, language):
        (file,), command = command, ()
    if (file is None) == (not command):
        raise click.UsageError("give either a command, e.g. argosy submit -- ./job.sh, or a description with --file")
    if file is not None:
        return _submit_file(file, language, strict=strict, share=options["share"], held=held, key=key, as_json=as_json)
    work = job(command, **options)
    work.description.held = held
    with connect() as client:
        _submit_one(client, work, key, as_json=as_json)
    return OK


def _is_description(command: tuple[str, ...], language: str | None) -> bool:
    """Whether what stands where the command would is a file with a description."""
    if len(command) != 1 or not os.path.isfile(command[0]):
        return False
    from argosy.languages import registry

    if language is not None:
        return True
    with open(command[0], "rb") as opened:
        return registry.detect(opened.read(MAX_BYTES)) is not None


def _submit_one(client: Client, work: Job, key: str | None, *, as_json: bool) -> None:
    record = client.submit(work.description, key=key)
    upload(client, record.id, work)
    if as_json:
        print_json(record)
    else:
        click.echo(record.id)


def _submit_file(
    file: str, language: str | None, *, strict: bool, share: str | None, held: bool, key: str | None, as_json: bool
) -> int:
    from argosy.languages import registry
    from argosy.languages.contract import check

    parsed = check(registry.parse(read(file), name=language, strict=strict))
    tell(parsed.notes)

    def ready(parsed: Parsed) -> Any:
        for description in parsed.descriptions:
            description.held = description.held or held
            description.share = share or description.share
            yield description

    jobs = ready(parsed)
    with connect() as client:
        if parsed.count == 1:
            _submit_one(client, Job(next(jobs), {}, {}), key, as_json=as_json)
            return OK
        code, done = OK, 0
        while some := list(islice(jobs, _AT_A_TIME)):
            keys = [f"{key}/{done + index}" for index in range(len(some))] if key is not None else None
            for index, result in enumerate(client.submit_many(some, keys=keys)):
                if result.activity is not None:
                    if as_json:
                        print_json(result.activity)
                    else:
                        click.echo(result.activity.id)
                elif result.problem is not None:
                    code = FAILED
                    report(f"job {done + index}: {result.problem.detail}", element=result.problem.element)
            done += len(some)
    if not done:
        raise InvalidInput("there are no jobs in it")
    return code
