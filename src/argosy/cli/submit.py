"""``argosy submit``: a job to be looked at later, or several of one description."""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from argosy.client import Client
from argosy.languages.contract import MAX_BYTES, Parsed
from argosy.languages.documents import ActivityDocument
from argosy.languages.sweeps import Options
from argosy.languages.sweeps.answers import SweepDocument
from argosy.model import ArgosyError, InvalidInput

from .common import connect, json_option, print_json
from .convert import language_option, read, strict_option, tell
from .describe import Job, job, job_options, uploaded
from .exits import FAILED, OK, report
from .run import upload
from .submit_sweep import sweep_of, sweep_options

F = TypeVar("F", bound=Callable[..., Any])

#: So many jobs of a sweep are submitted in one request.
_AT_A_TIME = 1000
_DASHES = "argosy.dashes"
#: The options with an effect beside a description in a file, those with one only there, and those of sweeps.
_WITH_A_FILE = ("share", "file", "held", "key", "as_json", "window", "stop_after", "language", "strict", "each")
_OF_A_FILE = ("language", "strict", "each")
_OF_A_SWEEP = ("lockstep", "window", "stop_after")


def _with(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


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
  argosy submit --name nightly --time 2h -i nightly.sh -- ./nightly.sh
  argosy submit job.json
  argosy submit -f job.jsdl                          any language; see `argosy convert`
  argosy submit job.sh                               a script with #SBATCH, #PBS, #$ or #BSUB lines
  jq '.arguments += ["7"]' job.json | argosy submit -f -
  id=$(argosy submit --key run-42 -- simulate)     repeated, it gives the same job

A file alone, without `--`, is a description if it reads like one; of the options of a job only --to goes with it. A
command without `--` before it is one that is here, too.

\b
Sweeps are many jobs in one request (see `argosy sweep --help`):
  argosy submit --sweep a=1..100 --sweep b=x,y -- simulate '{{a}}' '{{b}}'     200 jobs
  argosy submit --sweep a=1,2 --sweep b=x,y --lockstep -- simulate '{{a}}{{b}}'     1x and 2y
  argosy submit sweep.json          or JSDL with a sweep, or a script with an array

The id that is printed is the sweep's; with --each the jobs of a file are jobs of their own, with an id each.
""",
)
@job_options
@click.option("-f", "--file", metavar="FILE", help="A description instead of a command; - is stdin.")
@language_option
@strict_option
@_with(sweep_options)
@click.option("--each", is_flag=True, help="The jobs of a sweep or an array in FILE are jobs of their own.")
@click.option("--held", is_flag=True, help="Let it wait for `argosy start`; a sweep for `argosy sweep release`.")
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
    sweeps: tuple[str, ...],
    lockstep: bool,
    window: int | None,
    stop_after: int | None,
    each: bool,
    **options: Any,
) -> int:
    """Submit a job and print its id."""
    if file is None and command and not ctx.meta[_DASHES]:
        file, command = _file_or_command(command, language, options["inputs"])
    if (file is None) == (not command):
        raise click.UsageError("give either a command, e.g. argosy submit -- hostname, or a description with --file")
    if file is not None:
        others = [name for name in ctx.params if name not in (*_WITH_A_FILE, "command")]
        _refuse(ctx, others, "goes with a command; what describes the job stands in its file")
        whole = Options(None, window, stop_after, held)
        share = options["share"]
        return _submit_file(
            file, language, strict=strict, share=share, each=each, whole=whole, key=key, as_json=as_json
        )
    _refuse(ctx, _OF_A_FILE, "goes with a description in a file")
    if not sweeps:
        _refuse(ctx, _OF_A_SWEEP, "goes with a sweep")
    _refuse_targets(options["outputs"])
    work = job(command, **options)
    if sweeps:
        made = sweep_of(work, sweeps, lockstep=lockstep, window=window, stop_after=stop_after, held=held)
        with connect() as client:
            _print(client.submit_sweep(made, key=key), as_json=as_json)
        return OK
    work.description.held = held
    with connect() as client:
        _submit_one(client, work, key, as_json=as_json)
    return OK


def _file_or_command(
    words: tuple[str, ...], language: str | None, inputs: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """What words without ``--`` before them are: a file with a description, or a command. One of the two is empty."""
    first, *rest = words
    if _is_description(first, language):
        if rest:
            raise click.UsageError(
                f"{first!r} is a description, and nothing goes after it: {rest[0]!r} does; options go before it, "
                "and -- before a command"
            )
        return first, ()
    sent = any(posixpath.normpath(first) == uploaded(value)[0] for value in inputs)
    if shutil.which(first) is None and not sent:
        raise click.UsageError(
            f"{first!r} is no description in a language that is known here, and nothing that can be executed; "
            "name its --language, or write -- before a command that is there where the job runs"
        )
    return None, words


def _is_description(path: str, language: str | None) -> bool:
    """Whether what stands where the command would is a file with a description."""
    if not os.path.isfile(path):
        return False
    from argosy.languages import registry

    if language is not None:
        return True
    with open(path, "rb") as opened:
        return registry.detect(opened.read(MAX_BYTES)) is not None


def _refuse(ctx: click.Context, names: Iterable[str], why: str) -> None:
    """Raise UsageError where one of these options was given: it would have no effect."""
    for parameter in ctx.command.params:
        if parameter.name in names and ctx.get_parameter_source(parameter.name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{parameter.opts[-1]} {why}")


def _refuse_targets(outputs: Sequence[str]) -> None:
    for value in outputs:
        if "=" in value:
            raise click.UsageError(
                f"--output {value}: nothing is fetched here; leave the file out and use: argosy files get"
            )


def _submit_one(client: Client, work: Job, key: str | None, *, as_json: bool) -> None:
    record = client.submit(work.description, key=key)
    upload(client, record.id, work)
    _print(record, as_json=as_json)


def _print(record: ActivityDocument | SweepDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        click.echo(record.id)


def _submit_file(
    file: str,
    language: str | None,
    *,
    strict: bool,
    share: str | None,
    each: bool,
    whole: Options,
    key: str | None,
    as_json: bool,
) -> int:
    from argosy.languages import registry
    from argosy.languages.contract import check, in_its_terms

    data = read(file)
    spoken = registry.language(language) if language is not None else registry.detect(data)
    parsed = check(registry.parse(data, name=language, strict=strict))
    tell(parsed.notes)
    held = whole.held
    if parsed.expansion is not None and not each:
        assert spoken is not None
        with connect() as client:
            made = client.submit_sweep(
                data,
                key=key,
                media_type=spoken.media_types[0],
                strict=strict,
                share=share,
                window=whole.window,
                stop_after_failures=whole.stop_after_failures,
                held=held,
            )
            _print(made, as_json=as_json)
        return OK

    def ready(parsed: Parsed) -> Any:
        for description in parsed.descriptions:
            description.held = description.held or held
            description.share = share or description.share
            yield description

    if whole.window is not None or whole.stop_after_failures is not None:
        raise click.UsageError("--window and --stop-after go with a sweep")
    jobs = ready(parsed)
    with connect() as client:
        if parsed.count == 1:
            work = Job(next(jobs), {}, {})
            try:
                _submit_one(client, work, key, as_json=as_json)
            except ArgosyError as error:
                if spoken is None or spoken.name == "json":
                    raise
                raise in_its_terms(error, spoken, data, work.description) from None
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
