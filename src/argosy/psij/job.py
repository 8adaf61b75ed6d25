"""Job and its callbacks, under psij-python's name."""

from argosy.executors.job import FunctionJobStatusCallback, Job, JobStatusCallback

__all__ = ["FunctionJobStatusCallback", "Job", "JobStatusCallback"]
