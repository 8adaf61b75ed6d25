"""The launcher `aprun`, under psij-python's name."""

from __future__ import annotations

from argosy.executors.executor import JobExecutorConfig

from .own import OwnLauncher


class AprunLauncher(OwnLauncher):
    """Argosy's `aprun`."""

    def __init__(self, config: JobExecutorConfig | None = None) -> None:
        super().__init__("aprun", config)
