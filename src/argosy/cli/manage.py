"""Commands that change jobs, each of several at once: start, wait, cancel, restart, purge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import click

from argosy.client import Client, ServiceUnreachable
from argosy.languages.documents import ActivityDocument
from argosy.languages.sweeps.answers import SweepDocument
from argosy.model import ArgosyError, NotFound

from .common import connect, full_id, json_option, print_json
from .exits import FAILED, NOT_FOUND, OK, TIMEOUT, report
from .progress import Progress
from .sweeps import await_sweep, full_sweep_id, is_sweep, went_well
from .units import Duration

ids_argument = click.argument("ids", nargs=-1, required=True, metavar="ID...")


#: Jobs in one request.
_AT_ONCE = 1000


def _each(
    ids: Sequence[str],
    act: Callable[[Client, str], ActivityDocument | dict[str, str]],
    sweep: Callable[[Client, str], SweepDocument | dict[str, str]] | None = None,
    *,
    as_json: bool,
    patient: bool = False,
) -> int:
    """Do `act` to each of the jobs, and `sweep` to sweeps, whatever becomes of the others. Says what was refused."""
    code = OK
    with connect(patient=patient) as client:
        for name in ids:
            try:
                record: ActivityDocument | SweepDocument | dict[str, str]
                if sweep is not None and is_sweep(name):
                    record = sweep(client, full_sweep_id(client, name))
                else:
                    record = act(client, full_id(client, name))
            except ServiceUnreachable:
                raise
            except ArgosyError as error:
                report(str(error), element=error.element)
                code = max(code, NOT_FOUND if isinstance(error, NotFound) and len(ids) == 1 else FAILED)
            except TimeoutError as error:
                report(str(error))
                code = max(code, TIMEOUT)
            else:
                if as_json:
                    print_json(record)
    return code


@click.command(epilog="\b\nExample:\n  argosy start @last")
@ids_argument
@json_option
def start(ids: tuple[str, ...], as_json: bool) -> int:
    """Start jobs that were submitted held."""
    return _each(ids, Client.start, as_json=as_json)


@click.command(epilog="\b\nExamples:\n  argosy cancel @last\n  argosy cancel 01930a 01930b")
@ids_argument
@click.option("--wait", "wait_", is_flag=True, help="Wait until they have ended.")
@json_option
def cancel(ids: tuple[str, ...], wait_: bool, as_json: bool) -> int:
    """End jobs, or sweeps with all their jobs. What has ended stays as it is."""

    def end(client: Client, id: str) -> ActivityDocument:
        record = client.terminate(id)
        if not wait_:
            return record
        with Progress() as progress:
            return progress.await_end(
                lambda seconds: client.wait(id, seconds), lambda: f"{id} is {client.status(id).state}", None
            )

    def end_sweep(client: Client, id: str) -> SweepDocument:
        record = client.terminate_sweep(id)
        return await_sweep(client, id, None) if wait_ else record

    return _each(ids, end, end_sweep, as_json=as_json, patient=wait_)


@click.command(epilog="\b\nExamples:\n  argosy restart @last\n  argosy restart --over 01930a")
@ids_argument
@click.option("--over", is_flag=True, help="A job that was lost sight of is over: you know that.")
@json_option
def restart(ids: tuple[str, ...], over: bool, as_json: bool) -> int:
    """Let failed jobs go on from the stage that failed: fetching input, running, or delivering output."""
    return _each(ids, lambda client, name: client.restart(name, over=over), as_json=as_json)


@click.command(epilog="\b\nExample:\n  argosy purge --terminate @last")
@ids_argument
@click.option("--terminate", is_flag=True, help="End those first that have not ended.")
@json_option
def purge(ids: tuple[str, ...], terminate: bool, as_json: bool) -> int:
    """Remove jobs that have ended, with their files; or sweeps with all their jobs."""
    if len(ids) == 1 or any(map(is_sweep, ids)):

        def one(client: Client, id: str) -> dict[str, str]:
            client.purge(id, terminate=terminate)
            return {"id": id}

        def whole(client: Client, id: str) -> dict[str, str]:
            client.purge_sweep(id, terminate=terminate)
            return {"id": id}

        return _each(ids, one, whole, as_json=as_json)
    code = OK
    with connect() as client:
        found = []
        for name in ids:
            try:
                found.append(full_id(client, name))
            except ServiceUnreachable:
                raise
            except ArgosyError as error:
                report(str(error), element=error.element)
                code = FAILED
        for begin in range(0, len(found), _AT_ONCE):
            some = found[begin : begin + _AT_ONCE]
            for id, problem in zip(some, client.purge_many(some, terminate=terminate), strict=True):
                if problem is not None:
                    report(f"{id}: {problem.detail}")
                    code = FAILED
                elif as_json:
                    print_json({"id": id})
    return code


@click.command(
    epilog="""\b
Example:
  argosy wait --timeout 1h $(argosy list --state running --json | jq -r .id)

The exit code is 0 if every job finished with exit code 0, 5 if time was up, otherwise 1.
""",
)
@ids_argument
@click.option("--timeout", type=Duration(), metavar="TIME", help="Wait no longer, e.g. 90s or 1:00:00.")
@json_option
def wait(ids: tuple[str, ...], timeout: float | None, as_json: bool) -> int:
    """Wait until jobs, or sweeps, have ended, and say how."""
    deadline = None if timeout is None else time.monotonic() + timeout
    all_well = True
    ended = 0

    def await_end(client: Client, id: str) -> ActivityDocument:
        nonlocal all_well, ended
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        with Progress() as progress:
            record = progress.await_end(
                lambda seconds: client.wait(id, seconds),
                lambda: f"{ended} of {len(ids)} ended; {id} is {client.status(id).state}",
                left,
            )
        ended += 1
        all_well = all_well and record.state == "finished" and record.exit_code == 0
        if not as_json:
            how = f"exit code {record.exit_code}" if record.exit_code is not None else record.reason or ""
            click.echo(f"{record.id}  {record.state}  {how}".rstrip())
        return record

    def await_all_of_it(client: Client, id: str) -> SweepDocument:
        nonlocal all_well, ended
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        record = await_sweep(client, id, left)
        ended += 1
        all_well = all_well and went_well(record)
        if not as_json:
            counts = ", ".join(f"{count} {state}" for state, count in record.counts.items())
            click.echo(f"{record.id}  {record.state}  {counts}".rstrip())
        return record

    code = _each(ids, await_end, await_all_of_it, as_json=as_json, patient=True)
    return code or (OK if all_well else FAILED)
