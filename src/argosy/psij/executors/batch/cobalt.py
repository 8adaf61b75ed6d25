"""The executor for Cobalt, under psij-python's name."""

from argosy.batch.cobalt import Cobalt
from argosy.executors.batch.executor import executor_of

from .batch_scheduler_executor import BatchSchedulerExecutorConfig

__all__ = ["CobaltExecutorConfig", "CobaltJobExecutor"]

CobaltJobExecutor = executor_of(Cobalt)


class CobaltExecutorConfig(BatchSchedulerExecutorConfig):
    """The configuration of the executor for Cobalt."""
