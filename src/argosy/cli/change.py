"""Commands that change the status of jobs: hold, release, suspend, resume."""

from __future__ import annotations

import click

from argosy.client.errors import from_problem
from argosy.model import NotFound

from .common import connect, full_ids, json_option, print_json
from .exits import FAILED, NOT_FOUND, OK, report
from .manage import ids_argument
from .units import Duration


def _command(name: str, help: str, more: str) -> click.Command:
    @click.command(
        name, help=f"{help}\n\n{more}", epilog=f"\b\nExamples:\n  argosy {name} @last\n  argosy {name} 01930a 01930b"
    )
    @ids_argument
    @click.option(
        "--wait", type=Duration(), default="10s", show_default=True, metavar="TIME", help="For the batch system."
    )
    @json_option
    def command(ids: tuple[str, ...], wait: float, as_json: bool) -> int:
        code = OK
        with connect() as client:
            names = full_ids(client, ids)
            results = client.change_many([(id, name) for id in names], wait=min(wait, 60.0))
        for id, result in zip(names, results, strict=True):
            if result.problem is not None:
                error = from_problem(result.problem)
                report(f"{id}: {error}", element=error.element)
                code = NOT_FOUND if isinstance(error, NotFound) and len(ids) == 1 else FAILED
            elif result.activity is not None and as_json:
                print_json(result.activity)
            elif result.activity is not None:
                later = " (asked for, and still to come)" if result.activity.asked else ""
                click.echo(f"{id}  {result.activity.state}{later}")
        return code

    return command


hold = _command("hold", "Keep jobs from running.", "One that runs already is not held: suspend it.")
release = _command("release", "Let jobs go that are held.", "Those that were submitted held, too.")
suspend = _command("suspend", "Stop jobs where they are.", "Some batch systems let only their operators do so.")
resume = _command("resume", "Let suspended jobs go on.", "They go on where they were.")
