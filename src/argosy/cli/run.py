"""``argosy run``: a job that feels like a command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import click

from argosy.client import Client, ServiceUnreachable
from argosy.languages.documents import ActivityDocument
from argosy.model import ArgosyError, NotFound

from .common import connect, print_json
from .describe import Job, job, job_options
from .exits import DID_NOT_RUN, FAILED, OK, TIMEOUT, report
from .fetching import fetch
from .progress import moving
from .tables import printable, styled
from .units import Duration

#: How often the output of a job that does not change is looked at, in seconds.
_LOOK = 0.5
_CHUNK = 1024 * 1024


class _Interrupted(Exception):
    """The user does not want to wait."""


@click.command(
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  argosy run -- hostname
  argosy run --to slurm/debug --time 30m -n 8 --launcher mpirun -- ./model
  argosy run -i script.py -i data.csv -o result.csv -- python3 script.py data.csv result.csv

The job's output appears here as it is written. Ctrl-C ends the job; a second Ctrl-C leaves it ending. Where nobody
reads the output any more (`| head`), the job is ended too, as a command would be; the exit code is then 141.
The job's record and files stay with the service for as long as it keeps such; --purge removes them after success.
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
    with connect(patient=True) as client:
        record = client.submit(work.description)
        runner = _Runner(client, record, sys.stderr.buffer if as_json else sys.stdout.buffer)
        try:
            code = runner.run(work, timeout)
        except _Interrupted:
            report(f"left it ending; see: argosy status {record.id}")
            return 130
        except ServiceUnreachable:
            report(f"the job goes on; once the service answers again: argosy status {record.id}")
            raise
        except BrokenPipeError:
            client.terminate(record.id)
            report(f"nobody reads the output any more; the job is ended; see: argosy status {record.id}")
            raise
        if code == OK and not _fetch(client, record.id, work):
            code = FAILED
        if as_json:
            print_json(runner.record)
        if code == OK and purge:
            client.purge(record.id)
        elif code != OK and not as_json:
            report(f"the job is kept; see: argosy status {record.id}")
        return code


class _Runner:
    """One job, from its submission to its end."""

    def __init__(self, client: Client, record: ActivityDocument, stdout: Any) -> None:
        self.record = record
        self._client = client
        self._offsets = {"stdout": 0, "stderr": 0}
        self._sinks = {"stdout": stdout, "stderr": sys.stderr.buffer}
        self._interrupted = 0
        self._out_of_time = False
        self._say = _teller()

    def run(self, work: Job, timeout: float | None) -> int:
        """Upload, follow to the end, and tell the exit code. Raises _Interrupted at the second Ctrl-C."""
        with self._signals():
            upload(self._client, self.record.id, work)
            self._follow(None if timeout is None else time.monotonic() + timeout)
        return self._exit_code()

    def _follow(self, deadline: float | None) -> None:
        seen = None
        ending = False
        while True:
            if self.record.state != seen:
                seen = self.record.state
                self._say(self.record)
            self._copy()
            if self.record.final:
                return
            if deadline is not None and time.monotonic() >= deadline:
                self._out_of_time = True
            if (self._interrupted or self._out_of_time) and not ending:
                ending = True
                self.record = self._client.terminate(self.record.id)
                continue
            self.record = self._client.changed(self.record.id, version=self.record.version, wait=_LOOK)

    def _copy(self) -> None:
        for name, sink in self._sinks.items():
            while True:
                try:
                    data = self._client.read_file(self.record.id, name, start=self._offsets[name], size=_CHUNK)
                except NotFound:
                    break
                if not data:
                    break
                self._offsets[name] += len(data)
                sink.write(data)
                sink.flush()

    def _exit_code(self) -> int:
        record = self.record
        if self._out_of_time:
            report("time is up; the job was ended")
            return TIMEOUT
        if self._interrupted:
            return 130
        code = record.exit_code
        if code is None and record.signal is not None:
            code = 128 + record.signal
        if record.state == "finished" and code is not None:
            return code & 0xFF
        report(f"the job is {record.state}: {record.reason or 'no reason is known'}")
        # What it was ended by may have an exit code too; success it is not.
        return ((code or 0) & 0xFF) or DID_NOT_RUN

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C is remembered, the second raises; SIGTERM counts as the first."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._interrupted += 1
            if self._interrupted > 1:
                raise _Interrupted
            os.write(2, b"argosy: ending the job; once more to leave it ending\n")

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def upload(client: Client, id: str, work: Job) -> None:
    """Send a job's input files. A job that will not get them all is ended, and does not wait for ever."""
    try:
        for there, here in work.uploads.items():
            with moving(f"uploading {there}", os.stat(here).st_size) as progress:
                client.put_file(id, there, here, progress=progress)
    except BaseException:
        with contextlib.suppress(ArgosyError):
            client.terminate(id)
        raise


def _fetch(client: Client, id: str, work: Job) -> bool:
    complete = True
    for there, here in work.downloads.items():
        try:
            fetch(client, id, there, here)
        except NotFound:
            report(f"the job has left no file {there}")
            complete = False
    return complete


def _teller() -> Callable[[ActivityDocument], None]:
    """What shows changes of state: on a terminal, lines in grey; otherwise nothing."""
    if not sys.stderr.isatty():
        return lambda record: None

    def say(record: ActivityDocument) -> None:
        text = record.state if record.reason is None else f"{record.state}: {record.reason}"
        line = printable(f"{record.share or 'job'} {record.id[-8:]}  {text}")
        click.echo(click.style(line, dim=True) if styled() else line, err=True)

    return say
