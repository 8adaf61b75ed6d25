"""The launcher `mpirun`: an MPI implementation's own starter, found on PATH."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec

from .contract import Launcher
from .words import as_operands


class Mpirun(Launcher):
    """Starts as many ranks as processes are asked for with ``mpirun -n``.

    Which hosts and slots there are, mpirun learns from the batch system by itself; where they are too few, it refuses
    in its own words. Standard input reaches rank 0. PATH goes to mpirun, and so to the ranks, whatever
    ``inherit_environment`` says.
    """

    name: ClassVar[str] = "mpirun"

    def render(self, command: str, spec: JobSpec) -> str:
        operands = as_operands(self.name, command, spec)
        # Without an inherited environment PATH is not exported, and mpirun does not find its own parts.
        return f"export PATH\nexec mpirun -n {spec.effective_resources.computed_process_count} {operands}"
