"""The options that describe a job, for `run` and `submit`, and the description that they make."""

from __future__ import annotations

import os
import posixpath
import shutil
import sys
import tempfile
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from argosy.client import Description, Input, Output, Resources
from argosy.model.shell import escape_references

from .common import pairs
from .environments import asked
from .exits import report
from .fetching import target_of
from .units import Duration, Size

#: What the job's standard input is called in its directory.
_STDIN = "stdin"
F = TypeVar("F", bound=Callable[..., Any])


def _share(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not all(value.split("/", 1)):
        raise click.BadParameter(f"{value!r}: write RESOURCE or RESOURCE/QUEUE")
    return value


_OPTIONS = [
    click.option(
        "--to",
        "share",
        metavar="SHARE",
        callback=_share,
        help="Where: RESOURCE or RESOURCE/QUEUE; see `argosy shares`.",
    ),
    click.option("-i", "--input", "inputs", metavar="FILE[=NAME]", multiple=True, help="Upload FILE (as NAME)."),
    click.option(
        "-o",
        "--output",
        "outputs",
        metavar="NAME[=FILE]",
        multiple=True,
        help="The job must leave NAME.",
    ),
    click.option(
        "--stdin",
        "stdin",
        metavar="FILE",
        help="Send FILE as the job's standard input; - is that of this command, read to its end first.",
    ),
    click.option("--name", help="A name for people."),
    click.option("-n", "--processes", type=click.IntRange(1), metavar="N", help="Processes in all."),
    click.option("-N", "--nodes", type=click.IntRange(1), metavar="N", help="Nodes."),
    click.option("--cores", type=click.IntRange(1), metavar="N", help="CPU cores for each process."),
    click.option("--gpus", type=click.IntRange(0), metavar="N", help="GPUs for each process."),
    click.option("--memory", type=Size(), metavar="SIZE", help="Memory for the whole job, e.g. 4G."),
    click.option("--arch", "architecture", metavar="NAME", help="CPU architecture, e.g. x86_64 or aarch64."),
    click.option("--label", "labels", metavar="NAME", multiple=True, help="A label that the share must have."),
    click.option("--with", "environments", metavar="NAME[>=V]", multiple=True, help="See `argosy environments`."),
    click.option("--time", "duration", type=Duration(), metavar="TIME", help="Wall time, e.g. 1:00:00 or 90m."),
    click.option("--launcher", metavar="NAME", help="How processes are started, e.g. mpirun."),
    click.option("--account", metavar="NAME", help="The account to charge."),
    click.option(
        "--env",
        "environment",
        metavar="K=V",
        multiple=True,
        help="An environment variable. ${NAME} in V is replaced where the job runs; $${NAME} is the text itself.",
    ),
    click.option("--tag", "tags", metavar="K=V", multiple=True, help="A tag to find it by."),
]


def job_options(function: F) -> F:
    """The options of a job, and its command: everything after the command's name is the command's."""
    function = click.argument("command", nargs=-1, type=click.UNPROCESSED)(function)
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Job:
    """A description, the files here that go in (name there to path here), and where what comes out goes."""

    description: Description
    uploads: dict[str, str]
    downloads: dict[str, str | None]


def job(
    command: Sequence[str],
    *,
    share: str | None,
    inputs: Sequence[str],
    outputs: Sequence[str],
    stdin: str | None,
    name: str | None,
    processes: int | None,
    nodes: int | None,
    cores: int | None,
    gpus: int | None,
    memory: int | None,
    architecture: str | None,
    labels: Sequence[str],
    environments: Sequence[str],
    duration: float | None,
    launcher: str | None,
    account: str | None,
    environment: Sequence[str],
    tags: Sequence[str],
) -> Job:
    """What the options say."""
    uploads = _uploads(inputs)
    downloads = _downloads(outputs)
    if stdin is not None:
        if _STDIN in uploads:
            raise click.BadParameter(f"another file is sent as {_STDIN}", param_hint="--stdin")
        uploads[_STDIN] = stdin if os.path.isfile(stdin) else _spooled(stdin)
    _tell_of_unsent(command[0], uploads)
    resources = Resources(
        nodes=nodes,
        processes=processes,
        cores_per_process=cores,
        gpus_per_process=gpus,
        memory=memory,
        architecture=architecture,
        labels=list(labels),
    )
    description = Description(
        executable=command[0],
        # What a shell has handed over is literal: a ${NAME} that is left in it is meant for the job's own shell.
        arguments=[escape_references(argument) for argument in command[1:]],
        name=name,
        environment=pairs("--env", environment),
        launcher=launcher,
        resources=None if resources == Resources() else resources,
        account=account,
        share=share,
        environments=[asked(value) for value in environments],
        inputs=[_declared(there, here) for there, here in uploads.items()],
        outputs=[Output(path=there) for there in downloads],
        tags=pairs("--tag", tags),
        stdin=None if stdin is None else _STDIN,
    )
    if duration is not None:
        description.duration = duration
    return Job(description, uploads, downloads)


def _spooled(path: str) -> str:
    """What can be read but once (``-``: standard input), to its end in a file that goes when the command ends."""
    spooled = click.get_current_context().with_resource(tempfile.TemporaryFile())  # noqa: SIM115
    if path == "-":
        shutil.copyfileobj(sys.stdin.buffer, spooled)
    else:
        with open(path, "rb") as source:
            shutil.copyfileobj(source, spooled)
    spooled.flush()
    return f"/proc/self/fd/{spooled.fileno()}"


def _uploads(values: Sequence[str]) -> dict[str, str]:
    uploads: dict[str, str] = {}
    for value in values:
        there, here = uploaded(value)
        if there in uploads:
            raise click.BadParameter(f"{uploads[there]!r} and {here!r} are both sent as {there}", param_hint="--input")
        uploads[there] = here
    return uploads


def _downloads(values: Sequence[str]) -> dict[str, str | None]:
    downloads: dict[str, str | None] = {}
    targets: dict[str, str] = {}
    for value in values:
        there, here = _download(value)
        if there in downloads:
            raise click.BadParameter(f"{there} is named twice", param_hint="--output")
        downloads[there] = here
        target = target_of(there, here)
        if target is not None and target in targets:
            told = f"{targets[target]} and {there} would both come to {target}"
            raise click.BadParameter(told, param_hint="--output")
        if target is not None:
            targets[target] = there
    return downloads


def _tell_of_unsent(executable: str, uploads: Container[str]) -> None:
    """A program named by its place in the job's directory has to be sent there; that it is here is not enough."""
    place = posixpath.normpath(executable)
    if "/" not in executable or os.path.isabs(executable) or place in uploads:
        return
    if os.path.isfile(executable):
        sent = f"-i {place}={place}" if "/" in place else f"-i {place}"
        report(f"note: {executable} is here, and not where the job runs; {sent} sends it")


def uploaded(value: str) -> tuple[str, str]:
    """What ``-i`` says: the name in the job's directory, and the file here."""
    here, _, there = (value, "", "") if os.path.exists(value) else value.partition("=")
    if not os.path.isfile(here):
        raise click.BadParameter(f"{here!r} is no file here", param_hint="--input")
    return posixpath.normpath(there or os.path.basename(here)), here


def _download(value: str) -> tuple[str, str | None]:
    there, _, here = value.partition("=")
    if not there:
        raise click.BadParameter(f"{value!r}: write NAME or NAME=FILE", param_hint="--output")
    return there, here or None


def _declared(there: str, here: str) -> Input:
    status = os.stat(here)
    return Input(path=there, size=status.st_size, executable=bool(status.st_mode & 0o111))
