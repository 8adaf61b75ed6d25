"""JobState and its order, under psij-python's name."""

from argosy.model import JobState, JobStateOrder

__all__ = ["JobState", "JobStateOrder"]
