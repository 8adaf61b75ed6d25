"""The launcher `jsrun`, under psij-python's name."""

from __future__ import annotations

from argosy.executors.executor import JobExecutorConfig

from .own import OwnLauncher


class JsrunLauncher(OwnLauncher):
    """Argosy's `jsrun`."""

    def __init__(self, config: JobExecutorConfig | None = None) -> None:
        super().__init__("jsrun", config)
