"""A Slurm job as an allocation: its jobs are steps, each with an srun on the host of this program."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

from argosy.executors.local.child import Ended, Prepared
from argosy.executors.local.processes import Leader, Process, Table, send
from argosy.executors.local.spawn import prepare
from argosy.model import JobSpec, Origin, Usage

from .allocation import NoAllocation, describe_nodes, slurm_nodes
from .executor import Starter, directory_of
from .packing import Need, Placement, Pool
from .steps import SRUN_FAILED, bare_environment, check_step, environment, need_of, step_spec

#: How often the shells of a cancelled job are looked for and killed.
_KILL_ROUNDS = 20
#: How long one of Slurm's commands may take, in seconds.
_PATIENCE = 30.0
_STEP = re.compile(r"(\d+\.\d+) (.*)", re.ASCII)


class SlurmSteps(Starter):
    """The Slurm job that `environ` tells of. Raises NoAllocation."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        srun = shutil.which("srun", path=environ.get("PATH"))
        if srun is None:
            raise NoAllocation("srun is not on PATH")
        if not environ.get("SLURM_JOB_ID"):
            raise NoAllocation("SLURM_JOB_ID is not set")
        self._srun = srun
        self._job_id = environ["SLURM_JOB_ID"]
        self._environ = environ
        self._bare = bare_environment(environ)
        self.where = f"the Slurm job {self._job_id}"
        self.pool = Pool(slurm_nodes(environ, describe_nodes(environ)), share_memory=True)

    def need(self, spec: JobSpec) -> Need:
        need = need_of(spec)
        check_step(spec, need)
        return need

    def prepare(self, spec: JobSpec, placement: Placement, tag: str, note: str, origin: Origin) -> Prepared:
        executable = spec.executable or ""
        if not spec.inherit_environment and "/" not in executable:
            # PATH finds the program, and is not handed on.
            executable = shutil.which(executable, path=origin.environ.get("PATH")) or executable
        step = step_spec(spec, executable, placement, self._srun, self._environ, tag)
        step.inherit_environment = True
        inherited = environment(origin.environ) if spec.inherit_environment else self._bare
        return prepare(step, directory_of(spec, origin), inherited, tag, note)

    def usage(self, ended: Ended, wall_seconds: float) -> Usage:
        """The time alone: the rest is that of srun, not of the job."""
        del ended
        return Usage(wall_seconds=wall_seconds)

    def explain(self, ended: Ended) -> str | None:
        if ended.exit_code == SRUN_FAILED:
            return "srun could not start the step; the job's standard error has its words"
        return super().explain(ended)

    def end(self, tag: str, leader: Leader) -> None:
        """Kill what is around srun, so that nothing follows it, and have srun end the step (SIGTERM, srun(1))."""
        told: set[int] = set()
        for _ in range(_KILL_ROUNDS):
            members = [process for process in Table().members(tag, leader) if process.session == leader.pid]
            others = [process for process in members if not _is_srun(process)]
            new = [process for process in members if process not in others and process.pid not in told]
            killed = send(others, signal.SIGKILL)
            told.update(process.pid for process in new)
            if not send(new, signal.SIGTERM) and not killed:
                break

    def force(self, tag: str, leader: Leader) -> None:
        self.clean([tag])
        send(Table().members(tag, leader), signal.SIGKILL)

    def clean(self, tags: Sequence[str]) -> dict[str, str]:
        """A srun that was killed as it made its step leaves the step behind: it is looked for by its name."""
        try:
            done = self._run("squeue", "--steps", "--noheader", f"--jobs={self._job_id}", "--format=%i %j")
            wanted = set(tags)
            found = [match[1] for match in map(_STEP.match, done.splitlines()) if match and match[2].strip() in wanted]
            if found:
                self._run("scancel", *found)
        except (OSError, subprocess.SubprocessError) as error:
            words = getattr(error, "stderr", None) or str(error)
            return dict.fromkeys(tags, str(words).strip())
        return {}

    def _run(self, *command: str) -> str:
        return subprocess.run(
            command,
            env=dict(self._bare) | {"PATH": self._environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        ).stdout


def _is_srun(process: Process) -> bool:
    try:
        with open(f"/proc/{process.pid}/comm", "rb") as file:
            return file.read().strip() == b"srun"
    except (FileNotFoundError, ProcessLookupError):
        return False
