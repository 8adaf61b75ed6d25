"""JobExecutor, under psij-python's name."""

from argosy.executors.executor import JobExecutor

from ._descriptors import enable_launchers

__all__ = ["JobExecutor"]

enable_launchers()
