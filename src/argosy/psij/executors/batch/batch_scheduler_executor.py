"""The base class of executors that others have written for psij-python: a script, and the commands of a batch system.

Argosy's own batch systems are not built on it (see `argosy.batch`); whoever begins anew is better off with those.

A subclass writes a submit script and says which commands submit, cancel, show and list jobs, and how to read what they
print. The script runs ``psij.launch_command`` and then writes its exit status into the file ``NATIVE_ID.ec`` in
``psij.script_dir``, and what it prints itself into ``NATIVE_ID.out`` there. From there on the job is followed: an exit
code tells its end at once; one status command for all jobs, at intervals, tells the rest.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from argosy.executors.batch.driver import BatchConfig
from argosy.executors.batch.executor import BatchExecutorConfig
from argosy.executors.executor import JobExecutor
from argosy.executors.executor import JobExecutorConfig as AnyConfig
from argosy.executors.job import Job
from argosy.executors.loop import call
from argosy.executors.origins import Origins
from argosy.model import Command, JobSpec, JobState, JobStatus, SubmitException, Unavailable
from argosy.model.user import own_name
from argosy.psij.job_executor_config import JobExecutorConfig
from argosy.psij.job_launcher import Launcher
from argosy.psij.launchers.script_based_launcher import ScriptBasedLauncher
from argosy.transport.local import LocalTransport

from ._judgement import Grace
from ._poller import Poller
from .escape_functions import Expandable
from .template_function_library import ALL as FUNCTION_LIBRARY

log = logging.getLogger(__name__)

UNKNOWN_ERROR = "PSIJ: Unknown error"

_DEFAULT = BatchExecutorConfig()

#: How long a command of the batch system may take, in seconds.
_COMMAND_TIMEOUT = 60.0


def check_status_exit_code(command: str, exit_code: int, out: str) -> None:
    """Raise RuntimeError, with what the status command printed, where its exit code is not 0."""
    if exit_code != 0:
        raise RuntimeError(f"status command {command!r} ended with exit code {exit_code}: {out!r}")


class InvalidJobStateError(Exception):
    """A job cannot be cancelled, because it has ended already."""


class BatchSchedulerExecutorConfig(JobExecutorConfig, BatchExecutorConfig):
    """`queue_polling_interval` is the time between status commands, in seconds.

    `initial_queue_polling_delay` is that before the first. `keep_files` keeps scripts, exit codes and outputs; the
    variable PSIJ_BATCH_KEEP_FILES does the same. `queue_polling_error_threshold` means nothing here: no job fails
    because its batch system does not answer. Argosy's own executors take this configuration too.
    """

    def __init__(
        self,
        launcher_log_file: str | os.PathLike[str] | None = None,
        work_directory: str | os.PathLike[str] | None = None,
        queue_polling_interval: float = 30,
        initial_queue_polling_delay: float = 2,
        queue_polling_error_threshold: int = 2,
        keep_files: bool = False,
    ) -> None:
        super().__init__(launcher_log_file, work_directory)
        for field in fields(BatchExecutorConfig):
            if not hasattr(self, field.name):  # what only Argosy's own executors know
                setattr(self, field.name, getattr(_DEFAULT, field.name))
        self.queue_polling_interval = queue_polling_interval
        self.initial_queue_polling_delay = initial_queue_polling_delay
        self.queue_polling_error_threshold = queue_polling_error_threshold
        self.keep_files = keep_files or "PSIJ_BATCH_KEEP_FILES" in os.environ

    @property
    def batch(self) -> BatchConfig:  # computed, as its parts may be set
        """The same for Argosy's own executors."""
        return BatchConfig(poll=float(getattr(self, "queue_polling_interval", 30)))


class BatchSchedulerExecutor(JobExecutor):
    """See the module. What a subclass must define is abstract here."""

    config: BatchSchedulerExecutorConfig

    def __init__(self, url: str | None = None, config: AnyConfig | None = None) -> None:
        super().__init__(url, self._get_config(config))
        self.work_directory = Path(self.config.work_directory).expanduser() / self.name
        self._transport = LocalTransport()
        self._origins = Origins()
        self._queue_poll_thread = self._start_queue_poll_thread()

    def _get_config(self, config: AnyConfig | None) -> BatchSchedulerExecutorConfig:
        if config is None:
            return BatchSchedulerExecutorConfig()
        if isinstance(config, BatchSchedulerExecutorConfig):
            return config
        return BatchSchedulerExecutorConfig._from_config(config)

    def _start_queue_poll_thread(self) -> Poller:
        return Poller(self, Grace())

    def _ensure_work_dir(self) -> None:
        self.work_directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    # -- what a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def generate_submit_script(self, job: Job, context: dict[str, object], submit_file: IO[str]) -> None:
        """Write the submit script of `job` to `submit_file`.

        `context` has `job`; `psij`, with `lib` (functions), `launch_command` (words) and `script_dir`; `env`,
        a list of `name` and `value`; `custom_attributes`, for each prefix a list of `key` and `value`; and
        `formatted_job_duration`.
        """

    @abstractmethod
    def get_submit_command(self, job: Job, submit_file_path: Path) -> list[str]:
        """The command that submits the script at that path."""

    @abstractmethod
    def job_id_from_submit_output(self, out: str) -> str:
        """The native id, from what the submit command printed when it succeeded."""

    @abstractmethod
    def get_cancel_command(self, native_id: str) -> list[str]:
        """The command that cancels a job."""

    @abstractmethod
    def process_cancel_command_output(self, exit_code: int, out: str) -> None:
        """Called where the cancel command failed.

        Raises InvalidJobStateError where that was because the job has ended, SubmitException for all other reasons.
        """

    @abstractmethod
    def get_status_command(self, native_ids: Collection[str]) -> list[str]:
        """The one command that shows all these jobs."""

    @abstractmethod
    def parse_status_output(self, exit_code: int, out: str) -> dict[str, JobStatus]:
        """What the status command printed, by native id.

        May raise whatever it likes: jobs then stay as they were last seen. Where one line is at fault,
        the others are offered again without it.
        """

    @abstractmethod
    def get_list_command(self) -> list[str]:
        """The command that lists the user's jobs."""

    def parse_list_output(self, out: str) -> list[str]:
        """The native ids that the list command printed: one a line."""
        return [line.strip() for line in out.splitlines() if line.strip()]

    # -- PSI/J ------------------------------------------------------------------------------------

    @property
    def needs_pools(self) -> bool:
        """See `JobExecutor.needs_pools`: its commands are run by one."""
        return True

    def submit(self, job: Job | Sequence[Job]) -> None:
        """See `JobExecutor.submit`."""
        for one in self.jobs_of(job):
            self._submit(one)

    def _submit(self, job: Job) -> None:
        self._ensure_work_dir()
        self._check_job(job)
        path = self.work_directory / f"{job.id}.job"
        try:
            with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                self.generate_submit_script(job, self._create_script_context(job), file)
            job.native_id = self._submit_script(job, path)
        except BaseException:
            # An error leaves the job as it was, so that it can be submitted again (PSI/J, JobExecutor.submit).
            job.executor = None
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._set_job_status(job, JobStatus(JobState.QUEUED, metadata={"native_id": job.native_id}))
        self._queue_poll_thread.register_job(job)

    def _submit_script(self, job: Job, path: Path) -> str:
        try:
            out = self._run_command(self.get_submit_command(job, path))
        except subprocess.CalledProcessError as error:
            raise SubmitException(error.output, error) from None
        except (Unavailable, OSError) as error:
            raise SubmitException(str(error), error) from error
        try:
            return self.job_id_from_submit_output(out)
        except Exception as error:
            raise SubmitException(
                f"the job may have been accepted, but no id can be read from what the submit command printed: {out!r}",
                error,
            ) from error

    def cancel(self, job: Job) -> None:
        """See `JobExecutor.cancel`."""
        if job.native_id is None:
            raise SubmitException("the job was not submitted, so there is nothing to cancel")
        self.check_own(job)
        if job.status.state.final:
            return
        try:
            self._run_command(self.get_cancel_command(job.native_id))
        except subprocess.CalledProcessError as error:
            with contextlib.suppress(InvalidJobStateError):
                self.process_cancel_command_output(error.returncode, error.output)
        except Unavailable as error:
            raise SubmitException(error.message, error, transient=True) from error
        self._queue_poll_thread.cancelling(job.native_id)

    def attach(self, job: Job, native_id: str) -> None:
        """See `JobExecutor.attach`."""
        self.check_attach(job)
        self.bind(job)
        job.spec = JobSpec()
        job.native_id = native_id
        self._queue_poll_thread.register_job(job, attached=True)

    def list(self) -> list[str]:
        """See `JobExecutor.list`."""
        return self.parse_list_output(self._run_command(self.get_list_command()))

    # -- for subclasses ---------------------------------------------------------------------------

    def _current_user(self) -> str:
        return own_name()

    def _run_command(self, cmd: Sequence[str]) -> str:
        """What a command prints. Raises CalledProcessError with all that was printed, Unavailable without an answer."""
        command = Command(tuple(map(str, cmd)), origin=self._origins.now())
        done = call(self._transport.run(command, timeout=_COMMAND_TIMEOUT))
        if done.returncode != 0:
            said = "\n".join(text for text in (done.stdout, done.stderr) if text)
            raise subprocess.CalledProcessError(done.returncode, list(cmd), output=said or UNKNOWN_ERROR)
        return done.stdout

    def _get_launcher_from_job(self, job: Job) -> Launcher:
        spec = job.spec
        name = spec.launcher if spec is not None and spec.launcher else Launcher.DEFAULT_LAUNCHER_NAME
        launcher: Launcher = self._get_launcher(name)
        return launcher

    def _create_script_context(self, job: Job) -> dict[str, object]:
        spec = job.spec
        assert spec is not None
        launcher = self._get_launcher_from_job(job)
        if isinstance(launcher, ScriptBasedLauncher) and log.isEnabledFor(logging.DEBUG):
            words = launcher.get_launch_command(job, log_file=str(self._launcher_log(job)))
        else:
            words = launcher.get_launch_command(job)
        context: dict[str, object] = {
            "job": job,
            "custom_attributes": _by_prefix(spec),
            "env": [{"name": name, "value": Expandable(value)} for name, value in (spec.environment or {}).items()],
            "psij": {"lib": FUNCTION_LIBRARY, "launch_command": words, "script_dir": str(self.work_directory)},
        }
        if spec.attributes.duration is not None:
            context["formatted_job_duration"] = self._format_duration(spec.attributes.duration)
        return context

    def _format_duration(self, d: timedelta) -> str:
        """The wall time as directives have it; hours, minutes and seconds unless a subclass says otherwise."""
        seconds = -(-d // timedelta(seconds=1))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def _set_job_status(self, job: Job, status: JobStatus) -> None:
        if status.state.is_greater_than(job.status.state) is False:
            return
        if status.state.final and job.native_id:
            self._clean_submit_script(job)
            self._read_aux_files(job, status)
        super()._set_job_status(job, status)

    def _clean_submit_script(self, job: Job) -> None:
        """Remove what was only needed to submit."""
        self._delete_aux_file(path=self.work_directory / f"{job.id}.job")

    def _read_aux_files(self, job: Job, status: JobStatus) -> None:
        """Complete a final status by what the job has left in files, and remove those."""
        launcher_log = self._read_aux_file(path=self._launcher_log(job))
        if launcher_log:
            log.debug("what the launcher of job %s logged: %s", job.id, launcher_log)
        code = self._read_aux_file(job, ".ec")
        if status.state is not JobState.CANCELED and status.exit_code is None and code and code.strip().isdigit():
            status.exit_code = int(code)
            if status.exit_code != 0:
                status.state = JobState.FAILED
        out = self._read_aux_file(job, ".out")
        if status.state is JobState.FAILED and status.message is None and out:
            launcher = self._get_launcher_from_job(job)
            if launcher.is_launcher_failure(out):
                status.message = launcher.get_launcher_failure_message(out).strip()

    def _launcher_log(self, job: Job) -> Path:
        return self.work_directory / f"{job.id}_launcher.log"

    def _read_aux_file(self, job: Job | None = None, suffix: str | None = None, path: Path | None = None) -> str | None:
        """What a file of a job's holds, None where there is none; it is removed, unless files are kept."""
        if path is None:
            path = self._aux_path(job, suffix)
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s cannot be read: %s", path, error.strerror)
            return None
        self._delete_aux_file(path=path)
        return text

    def _delete_aux_file(
        self, job: Job | None = None, suffix: str | None = None, path: Path | None = None, force: bool = False
    ) -> None:
        """Remove a file of a job's, unless files are kept; one that is not there is no error."""
        del force
        if not self.config.keep_files:
            if path is None:
                path = self._aux_path(job, suffix)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("%s cannot be removed: %s", path, error.strerror)

    def _aux_path(self, job: Job | None, suffix: str | None) -> Path:
        assert job is not None
        return self.work_directory / f"{job.native_id}{suffix or ''}"


def _by_prefix(spec: JobSpec) -> dict[str, Any]:
    """The custom attributes for templates: those named ``prefix.key`` by prefix, in lower case; others as they are."""
    found: dict[str, Any] = {}
    for name, value in (spec.attributes.custom_attributes or {}).items():
        prefix, dot, key = name.partition(".")
        if dot:
            found.setdefault(prefix.lower(), []).append({"key": key, "value": value})
        else:
            found[name] = value
    return found
