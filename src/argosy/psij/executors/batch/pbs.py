"""The executor for PBS, under psij-python's name."""

from argosy.batch.pbs import PBS
from argosy.executors.batch.executor import executor_of

from .batch_scheduler_executor import BatchSchedulerExecutorConfig

__all__ = ["PBSExecutorConfig", "PBSJobExecutor"]

PBSJobExecutor = executor_of(PBS)


class PBSExecutorConfig(BatchSchedulerExecutorConfig):
    """The configuration of the executor for PBS."""
