"""The launcher `single`: one process, on the first of the job's hosts."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec

from .contract import Launcher
from .options import refuse_options


class Single(Launcher):
    """Starts the executable once, whatever the number of processes asked for."""

    name: ClassVar[str] = "single"

    def render(self, command: str, spec: JobSpec) -> str:
        refuse_options(self.name, spec)
        # exec knows programs only: an executable named like a keyword, a builtin or `a=b` is still that executable.
        return f"exec -- {command}"
