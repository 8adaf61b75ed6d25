"""JobSpec, under psij-python's name."""

from argosy.model import JobSpec

__all__ = ["JobSpec"]
