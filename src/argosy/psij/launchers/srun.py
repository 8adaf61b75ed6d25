"""The launcher `srun`, under psij-python's name."""

from __future__ import annotations

from argosy.executors.executor import JobExecutorConfig

from .own import OwnLauncher


class SrunLauncher(OwnLauncher):
    """Argosy's `srun`."""

    def __init__(self, config: JobExecutorConfig | None = None) -> None:
        super().__init__("srun", config)
