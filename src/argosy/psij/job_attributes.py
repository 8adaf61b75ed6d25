"""JobAttributes, under psij-python's name."""

from argosy.model import JobAttributes

__all__ = ["JobAttributes"]
