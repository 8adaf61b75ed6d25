"""The executor for LSF, under psij-python's name."""

from argosy.batch.lsf import LSF
from argosy.executors.batch.executor import executor_of

from .batch_scheduler_executor import BatchSchedulerExecutorConfig

__all__ = ["LsfExecutorConfig", "LsfJobExecutor"]

LsfJobExecutor = executor_of(LSF)


class LsfExecutorConfig(BatchSchedulerExecutorConfig):
    """The configuration of the executor for LSF."""
