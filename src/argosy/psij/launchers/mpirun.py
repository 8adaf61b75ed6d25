"""The launcher `mpirun`, under psij-python's name."""

from __future__ import annotations

from argosy.executors.executor import JobExecutorConfig

from .own import OwnLauncher


class MPILauncher(OwnLauncher):
    """Argosy's `mpirun`."""

    def __init__(self, config: JobExecutorConfig | None = None) -> None:
        super().__init__("mpirun", config)
