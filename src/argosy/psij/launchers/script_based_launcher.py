"""Launchers that are bash scripts, as others write them for psij-python.

The script is called with: the job's id, a log file, `pre_launch`, `post_launch` (empty where there is none), the
files for standard input, output and error, what `get_additional_args` gives, the executable and its arguments. At its
end it prints ``_PSI_J_LAUNCHER_DONE``, so that its own failure is told from the application's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import uuid
from pathlib import Path

from argosy.executors.executor import JobExecutorConfig
from argosy.executors.job import Job
from argosy.model import InvalidJobException
from argosy.psij.job_launcher import Launcher

from .own import is_failure


class ScriptBasedLauncher(Launcher):
    """Starts jobs through the script at `script_path`.

    The script may begin with ``source "$(dirname "$0")/launcher_lib.sh"``, which reads the first seven arguments and
    defines ``log``, ``pre_launch`` and ``post_launch``. Both are copied to the work directory, where the hosts that run
    jobs can read them.
    """

    def __init__(self, script_path: Path, config: JobExecutorConfig | None = None) -> None:
        super().__init__(config)
        self._script_path = Path(script_path)
        self._lock = threading.Lock()
        self._deployed_script_path: Path | None = None

    def _files_to_deploy(self) -> list[Path]:
        return [Path(__file__).parent / "scripts" / "launcher_lib.sh", self._script_path]

    def _ensure_launcher_deployed(self) -> Path:
        with self._lock:
            if self._deployed_script_path is None:
                self._deployed_script_path = self._deploy_files(self._files_to_deploy()) / self._script_path.name
            return self._deployed_script_path

    def _deploy_files(self, paths: list[Path]) -> Path:
        """The directory that holds these files, named after their contents; made if it is not there."""
        work = Path(self.config.work_directory)
        hashed = hashlib.sha256()
        for path in paths:
            content = path.read_bytes()
            hashed.update(f"{path.name}\0{len(content)}\0".encode() + content)
        target = work / hashed.hexdigest()
        if not target.is_dir():
            # Under another name first: a directory of that name is always complete.
            temporary = work / f"{uuid.uuid4().hex}.tmp"
            temporary.mkdir(parents=True, mode=0o700)
            for path in paths:
                shutil.copy(path, temporary / path.name)
            try:
                temporary.rename(target)
            except OSError:
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(temporary)
                if not target.is_dir():
                    raise
        return target

    def get_launch_command(self, job: Job, log_file: str | None = None) -> list[str]:
        """See `Launcher.get_launch_command`."""
        spec = job.spec
        if spec is None or spec.executable is None:
            raise InvalidJobException("executable is missing", element="executable")
        log = log_file if log_file is not None else self.config.launcher_log_file
        return [
            "/bin/bash",
            str(self._ensure_launcher_deployed()),
            job.id,
            *("" if one is None else os.fspath(one) for one in (log, spec.pre_launch, spec.post_launch)),
            *(os.fspath(one or "/dev/null") for one in (spec.stdin_path, spec.stdout_path, spec.stderr_path)),
            *self.get_additional_args(job),
            spec.executable,
            *(spec.arguments or ()),
        ]

    def get_additional_args(self, job: Job) -> list[str]:
        """Arguments for the script that stand before the executable; a subclass may have some."""
        del job
        return []

    def is_launcher_failure(self, output: str) -> bool:
        """See `Launcher.is_launcher_failure`."""
        return is_failure(output)
