"""The executor for Flux, under psij-python's name."""

from argosy.batch.flux import Flux
from argosy.executors.batch.executor import executor_of

__all__ = ["FluxJobExecutor"]

FluxJobExecutor = executor_of(Flux)
