"""The launcher `mpirun`: an MPI implementation's own starter, found on PATH."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec
from argosy.model.shell import join

from .contract import Launcher
from .options import Style, extra_options
from .words import as_operands

_OWN = frozenset({"n", "np", "c", "h", "help", "V", "version", "do-not-launch", "app", "configfile", "stdin"})
# Open MPI's parameters, and MPICH's variables.
_PAIRS = frozenset({"mca", "gmca", "omca", "pmixmca", "prtemca", "genv", "env"})


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
        options = ["-n", str(spec.effective_resources.computed_process_count)]
        options += extra_options(self.name, spec, style=Style.SEPARATE, own=_OWN, pairs=_PAIRS)
        return f"export PATH\nexec mpirun {join(options)} {operands}"
