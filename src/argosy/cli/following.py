"""A job from its submission to its end: its output as it is written, and what its end means as an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO

import click

from argosy.client import Client
from argosy.languages.documents import ActivityDocument
from argosy.model import NotFound

from .exits import DID_NOT_RUN, TIMEOUT, report
from .interrupts import Interrupts
from .tables import printable, styled

#: How often the output of a job that does not change is looked at, in seconds.
_LOOK = 0.5
_CHUNK = 1024 * 1024


class Follower:
    """Shows a job's streams until its end, and ends it where that is asked for."""

    def __init__(
        self, client: Client, record: ActivityDocument, sinks: Mapping[str, BinaryIO], interrupts: Interrupts
    ) -> None:
        self.record = record
        self._client = client
        self._sinks = sinks
        self._offsets = dict.fromkeys(sinks, 0)
        self._interrupts = interrupts
        self._ending = False
        self._seen: str | None = None
        self._say = _teller()

    def follow(self) -> None:
        """Return once the job is over and its output shown. Of one that was ended only what is quickly there is."""
        while True:
            self._tell()
            more = self._copy()
            if self.record.final:
                if not more:
                    return
                if self._interrupts.count or (self._ending and self.record.state != "finished"):
                    report(f"there is more output; see: argosy logs {self.record.id}")
                    return
            elif self._interrupts.asked and not self._ending:
                self._ending = True
                self.record = self._client.terminate(self.record.id)
            elif self._ending or not more:
                wait = 0.0 if more else _LOOK
                self.record = self._client.changed(self.record.id, version=self.record.version, wait=wait)

    def _tell(self) -> None:
        if self.record.state != self._seen:
            self._seen = self.record.state
            self._say(self.record)

    def _copy(self) -> bool:
        """Show one piece of each stream, so that none waits for another; whether there is more to be had at once."""
        more = False
        for name, sink in self._sinks.items():
            try:
                data = self._client.read_file(self.record.id, name, start=self._offsets[name], size=_CHUNK)
            except NotFound:
                continue
            self._offsets[name] += len(data)
            if data:
                sink.write(data)
                sink.flush()
            more = more or len(data) == _CHUNK
        return more

    def exit_code(self) -> int:
        """What the job's end means for a command that stands for it. Says so where the job has no code of its own."""
        record = self.record
        if self._interrupts.count:
            return 130
        how = f"the job is {record.state}: {record.reason or 'no reason is known'}"
        if self._ending and record.state != "finished":
            report("time is up; " + ("the job was ended" if record.state == "terminated" else how))
            return TIMEOUT
        code = record.exit_code
        if code is None and record.signal is not None:
            code = 128 + record.signal
        if record.state == "finished" and code is not None:
            return code & 0xFF
        report(how)
        # What it was ended by may have an exit code too; success it is not.
        return ((code or 0) & 0xFF) or DID_NOT_RUN


def _teller() -> Callable[[ActivityDocument], None]:
    """What shows changes of state: on a terminal, lines in grey; otherwise nothing."""
    if not sys.stderr.isatty():
        return lambda record: None

    def say(record: ActivityDocument) -> None:
        text = record.state if record.reason is None else f"{record.state}: {record.reason}"
        line = printable(f"{record.share or 'job'} {record.id[-8:]}  {text}")
        click.echo(click.style(line, dim=True) if styled() else line, err=True)

    return say
