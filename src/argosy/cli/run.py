"""``argosy run``: a job that feels like a command."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from argosy.client import Client, ServiceUnreachable
from argosy.languages.documents import ActivityDocument
from argosy.model import ArgosyError, NotFound

from .common import connect, print_json
from .describe import Job, job, job_options
from .exits import FAILED, OK, report, words
from .fetching import STDOUT, check_target, fetch
from .following import Follower
from .interrupts import Interrupted, Interrupts, ToEnd
from .progress import moving
from .units import Duration

#: Said where the service did not answer the creation before the user had enough.
_UNKNOWN = "the service has not answered; whether it has taken the job is shown by: argosy list"


@click.command(
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  argosy run -- hostname
  argosy run --to slurm/debug --time 30m -n 8 --launcher mpirun -- model
  sort names | argosy run --stdin - -- uniq -c
  argosy run -i script.py -i data.csv -o result.csv -- python3 script.py data.csv result.csv

The job's output appears here as it is written. Standard input is left alone where --stdin - does not say otherwise.
Ctrl-C ends the job; a second Ctrl-C leaves it ending. Where nobody reads the output any more (`| head`), the job is
ended too, as a command would be; the exit code is then 141. A job that is ended may have written more than is shown;
`argosy logs` has it. The job's record and files stay with the service for as long as it keeps such; --purge removes
them after success. What -o names is fetched where the job ran to its end, whatever its exit code.
The exit code is the job's own, 128 + N where signal N ended it, 125 where it did not run to its end.
""",
)
@job_options
@click.option("--timeout", type=Duration(), metavar="TIME", help="End the job after so long, and exit with 5.")
@click.option("--purge", is_flag=True, help="Remove the job's record and files after success.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the job's last state as JSON; its own output goes to stderr."
)
def run(command: tuple[str, ...], timeout: float | None, purge: bool, as_json: bool, **options: Any) -> int:
    """Run a command somewhere, as if it ran here."""
    if not command:
        raise click.UsageError("name the command to run, e.g.: argosy run -- hostname")
    work = job(command, **options)
    for there, here in work.downloads.items():
        check_target(there, here)
        if here == STDOUT and as_json:
            raise click.UsageError("either JSON goes to standard output or the output file does")
    record: ActivityDocument | None = None
    with connect(patient=True) as client:
        try:
            # From here on: whoever interrupts a request must come to know which job it has made.
            with Interrupts(timeout) as interrupts:
                record = client.submit(work.description)
                sinks = {"stdout": (sys.stderr if as_json else sys.stdout).buffer, "stderr": sys.stderr.buffer}
                follower = Follower(client, record, sinks, interrupts)
                with contextlib.suppress(ToEnd):  # the follower sees that too
                    upload(client, record.id, work, check=interrupts.check)
                follower.follow()
            return _finish(client, follower, work, purge=purge, as_json=as_json)
        except Interrupted:
            report(_UNKNOWN if record is None else _leave(client, record.id))
            return 130
        except BrokenPipeError:
            if record is not None:
                client.terminate(record.id)
                with contextlib.suppress(OSError):  # stderr may be the same pipe
                    report(f"nobody reads the output any more; the job is ended; see: argosy status {record.id}")
            raise
        except ServiceUnreachable:
            if record is not None:
                report(f"the job goes on; once the service answers again: argosy status {record.id}")
            raise
        except BaseException:
            if record is not None:
                report(f"what becomes of the job is shown by: argosy status {record.id}")
            raise


def _leave(client: Client, id: str) -> str:
    """What is said where nobody waits any longer. The second Ctrl-C may come before the first has ended the job."""
    try:
        client.terminate(id)
    except ArgosyError as error:
        return f"the job could not be ended: {error}; see: argosy status {id}"
    return f"left it ending; see: argosy status {id}"


def _finish(client: Client, follower: Follower, work: Job, *, purge: bool, as_json: bool) -> int:
    """After the job's end: fetch its files, and say what is to be known."""
    record = follower.record
    code = follower.exit_code()
    if record.state == "finished":
        code = code if _fetch(client, record.id, work) else code or FAILED
    elif work.downloads:
        report(f"not fetched: {', '.join(work.downloads)}; what there is: argosy files ls {record.id}")
    if as_json:
        print_json(record)
    if code == OK and purge:
        client.purge(record.id)
    elif code != OK and not as_json:
        report(f"the job is kept; see: argosy status {record.id}")
    return code


def upload(client: Client, id: str, work: Job, *, check: Callable[..., None] = lambda *moved: None) -> None:
    """Send a job's input files. A job that will not get them all is ended, and does not wait for ever.

    `check` is called in between, with what has been moved of a file; what it raises ends the job.
    """
    try:
        for there, here in work.uploads.items():
            check()
            with moving(f"uploading {there}", os.stat(here).st_size) as progress:

                def moved(count: int, progress: Callable[[int], None] = progress) -> None:
                    progress(count)
                    check(count)

                client.put_file(id, there, here, progress=moved)
    except BaseException:
        try:
            client.terminate(id)
        except ArgosyError as error:
            report(f"{id} has not all of its input, and could not be ended: {error}")
        raise


def _fetch(client: Client, id: str, work: Job) -> bool:
    """Fetch what the job has left; whether all of it is here."""
    complete = True
    for there, here in work.downloads.items():
        try:
            fetch(client, id, there, here)
        except NotFound:
            report(f"the job has left no file {there}")
            complete = False
        except (ServiceUnreachable, BrokenPipeError):
            raise
        except (ArgosyError, OSError) as error:
            report(f"{there} was not fetched: {words(error)}")
            complete = False
    return complete
