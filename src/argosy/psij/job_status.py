"""JobStatus, under psij-python's name."""

from argosy.model import JobStatus

__all__ = ["JobStatus"]
