"""Argosy's launchers as psij-python's scripts want them: one list of words."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from argosy.batch.script import command_text
from argosy.executors.executor import JobExecutorConfig
from argosy.executors.job import Job
from argosy.launchers import registry
from argosy.model import InvalidJobException, JobSpec
from argosy.model.shell import quote
from argosy.psij.job_launcher import Launcher

#: What a launcher prints at its end, to say that it was not the launcher that failed.
DONE = "_PSI_J_LAUNCHER_DONE"


class OwnLauncher(Launcher):
    """A launcher of Argosy's by name."""

    def __init__(self, name: str, config: JobExecutorConfig | None = None) -> None:
        super().__init__(config)
        self._launcher = registry.get_launcher(name)

    def get_launch_command(self, job: Job, log_file: str | None = None) -> list[str]:
        """A shell that sources `pre_launch`, starts the processes between their streams, and sources `post_launch`."""
        del log_file
        if job.spec is None:
            raise InvalidJobException("Missing specification", element="spec")
        return ["/bin/bash", "-c", _text(job.spec, self._launcher.render(command_text(job.spec), job.spec))]

    def is_launcher_failure(self, output: str) -> bool:
        return is_failure(output)


def is_failure(output: str) -> bool:
    """Whether a script's output lacks the line by which launchers say that they came to their end."""
    lines = output.rstrip("\n").split("\n")
    return lines[-1] != DONE


def _text(spec: JobSpec, launch: str) -> str:
    stdout, stderr = _path(spec.stdout_path), _path(spec.stderr_path)
    streams = f"<{quote(_path(spec.stdin_path))} >{quote(stdout)} "
    # One file for both is opened once, or each would write over the other.
    streams += "2>&1" if stderr == stdout and spec.stdout_path is not None else f"2>{quote(stderr)}"
    lines = []
    if spec.pre_launch is not None:
        lines.append(f". {quote(_path(spec.pre_launch))} || exit")
    lines += [f"(\n{launch}\n) {streams}", "argosy_status=$?"]
    if spec.post_launch is not None:
        lines.append(f". {quote(_path(spec.post_launch))}")
    return "\n".join([*lines, f"echo {DONE}", 'exit "$argosy_status"'])


def _path(path: Path | None) -> str:
    """A path that the shell takes as it stands: ``.`` looks for a bare name on PATH."""
    if path is None:
        return "/dev/null"
    text = os.fspath(path)
    return text if posixpath.isabs(text) else "./" + text
