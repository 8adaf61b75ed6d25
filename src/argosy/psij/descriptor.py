"""What plug-ins say of themselves, under psij-python's name."""

from argosy.executors.plugins import Descriptor

__all__ = ["Descriptor"]
