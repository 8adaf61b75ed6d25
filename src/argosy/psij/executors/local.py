"""The executor for local processes, under psij-python's name."""

from argosy.executors.local.executor import LocalJobExecutor

__all__ = ["LocalJobExecutor"]
