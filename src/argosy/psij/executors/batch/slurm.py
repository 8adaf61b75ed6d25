"""The executor for Slurm, under psij-python's name."""

from argosy.batch.slurm import Slurm
from argosy.executors.batch.executor import executor_of

from .batch_scheduler_executor import BatchSchedulerExecutorConfig

__all__ = ["SlurmExecutorConfig", "SlurmJobExecutor"]

SlurmJobExecutor = executor_of(Slurm)


class SlurmExecutorConfig(BatchSchedulerExecutorConfig):
    """The configuration of the executor for Slurm."""
