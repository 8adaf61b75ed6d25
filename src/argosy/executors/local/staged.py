"""Jobs of this machine that stage or clean up: they run the script of a batch job, and a spool tells their steps."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from argosy.batch import Group, Submission
from argosy.batch.records import Record, RecordKind, parse_record, safe_id
from argosy.batch.script import body, command_text
from argosy.executors.batch.reconcile import STEPS
from argosy.executors.batch.spool import Spool
from argosy.executors.job import Job
from argosy.executors.loop import background_loop
from argosy.launchers.registry import get_launcher
from argosy.model import JobSpec, JobStatus
from argosy.transport.local import LocalTransport, make_directories

from .child import Prepared
from .spawn import TAG_VARIABLE

log = logging.getLogger(__name__)


class StagedJobs:
    """The jobs of one executor that stage, and their spool below `root`. Raises Unavailable where none can be made."""

    def __init__(self, root: Path) -> None:
        self.pid = os.getpid()
        """Whose they are: a forked child begins anew."""
        self._spool = Spool(str(root / uuid.uuid4().hex))
        self._told: dict[str, Callable[[JobStatus], None]] = {}
        self._exits: dict[str, Record] = {}
        self._reading = threading.Lock()
        make_directories(self._spool.directories())
        # Without notifications the steps are told when the job has ended.
        self._watching = asyncio.run_coroutine_threadsafe(self._watch_spool(), background_loop())

    async def _watch_spool(self) -> Callable[[], None] | None:
        stop = await LocalTransport().watch(self._spool.new, self.read)
        self.read()  # of what appeared before, nothing is told
        return stop

    def prepare(self, spec: JobSpec, environ: Mapping[str, str], tag: str) -> Prepared:
        """What starts the job. Raises InvalidJobException for a launcher that is not known, and OSError."""
        launch = get_launcher(spec.launcher or "single").render(command_text(spec), spec)
        directory = None if spec.directory is None else os.fspath(spec.directory)
        group = Group(tag, (Submission(tag, spec, launch, directory),))
        script = body(group, self._spool.root, '"$$"', "0", '""')
        with open(self._script(tag), "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(script)
        return Prepared(("/bin/bash", self._script(tag)), None, environ, {TAG_VARIABLE: tag})

    def watch(self, tag: str, tell: Callable[[JobStatus], None]) -> None:
        """Tell the steps of the job with this tag from now on."""
        self._told[tag] = tell
        self.read()

    def read(self) -> None:
        """Tell what the scripts have written since."""
        with self._reading:
            records = [record for name in os.listdir(self._spool.new) if (record := self._take(name)) is not None]
            for record in sorted(records, key=lambda record: record.time):
                tell = self._told[record.tag]
                if record.kind is RecordKind.EXIT:
                    self._exits[record.tag] = record
                elif record.kind in STEPS:
                    metadata = {"native_id": record.native_id, "hosts": list(record.hosts)}
                    tell(JobStatus(STEPS[record.kind], record.time, metadata=metadata))

    def _take(self, name: str) -> Record | None:
        """What a record says; None where nobody here is to be told."""
        path = self._spool.record(name)
        with open(path, "rb") as file:
            data = file.read()
        try:
            record = parse_record(name, data)
        except ValueError as odd:
            log.error("a record in the spool cannot be read and is removed: %s: %r", odd, data[:500])  # noqa: TRY400
            os.unlink(path)
            return None
        if record.tag not in self._told:
            return None  # its job has been started, which is about to be noted
        os.unlink(path)
        return record

    def ended(self, job: Job) -> Record | None:
        """The job's process has ended: what its script says of that, None where it was killed. Its traces go."""
        self.read()
        with self._reading:
            del self._told[job.id]
            record = self._exits.pop(job.id, None)
        self.forget(job.id, str(job.native_id))
        return record

    def forget(self, tag: str, native_id: str) -> None:
        """Remove what is kept about a job."""
        shutil.rmtree(self._spool.claim(tag), ignore_errors=True)
        for path in (self._script(tag), self._spool.node_file(native_id)):
            Path(path).unlink(missing_ok=True)

    def _script(self, tag: str) -> str:
        return f"{self._spool.root}/out/{safe_id(tag)}.sh"
