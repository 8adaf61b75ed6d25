"""The launcher `multiple` as a script, for launchers of others that are built on it."""

from __future__ import annotations

from pathlib import Path

from argosy.executors.executor import JobExecutorConfig
from argosy.executors.job import Job
from argosy.model import JobSpec

from .script_based_launcher import ScriptBasedLauncher

__all__ = ["MultipleLauncher"]

_SCRIPT = Path(__file__).parent / "scripts" / "multi_launch.sh"


class MultipleLauncher(ScriptBasedLauncher):
    """Starts as many copies on one host as processes are asked for; their number is the script's first argument."""

    def __init__(self, script_path: Path = _SCRIPT, config: JobExecutorConfig | None = None) -> None:
        super().__init__(script_path, config)

    def get_additional_args(self, job: Job) -> list[str]:
        return [str((job.spec or JobSpec()).effective_resources.computed_process_count)]
