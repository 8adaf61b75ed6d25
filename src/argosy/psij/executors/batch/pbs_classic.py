"""The executor for Torque, under psij-python's name."""

from argosy.batch.torque import Torque
from argosy.executors.batch.executor import executor_of

from .batch_scheduler_executor import BatchSchedulerExecutorConfig

__all__ = ["PBSClassicJobExecutor", "PBSExecutorConfig"]

PBSClassicJobExecutor = executor_of(Torque)


class PBSExecutorConfig(BatchSchedulerExecutorConfig):
    """The configuration of the executor for Torque."""
