"""The launcher `single`, under psij-python's name."""

from __future__ import annotations

from argosy.executors.executor import JobExecutorConfig

from .own import OwnLauncher


class SingleLauncher(OwnLauncher):
    """Argosy's `single`."""

    def __init__(self, config: JobExecutorConfig | None = None) -> None:
        super().__init__("single", config)
