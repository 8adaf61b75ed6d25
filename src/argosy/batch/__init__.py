"""One file a batch system: its scripts, its commands, and what they print."""

from .contract import BatchSystem, Control, Group, Submission

__all__ = ["BatchSystem", "Control", "Group", "Submission"]
