"""The contract for a launcher: how the ranks of a job are started (PSI/J, JobSpec.launcher)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from argosy.model import JobSpec


class Launcher(ABC):
    """Writes the shell text that starts a job's processes."""

    #: The name it is asked for by in ``JobSpec.launcher``.
    name: ClassVar[str]

    @abstractmethod
    def render(self, command: str, spec: JobSpec) -> str:
        """Shell text (POSIX) that starts `command` as often as `spec.resources` says and ends with its exit status.

        `command` is shell text, already quoted, of one process. Standard streams are redirected around the text.
        """
