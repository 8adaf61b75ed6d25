"""The launcher `aprun`: Cray's starter under ALPS (aprun(1))."""

from __future__ import annotations

from typing import ClassVar

from argosy.model import JobSpec
from argosy.model.shell import join

from .contract import Launcher
from .options import Style, extra_options
from .words import as_operands

_OWN = frozenset(
    {
        *("n", "pes", "N", "pes-per-node", "d", "cpus-per-pe", "B", "batch-args", "q", "quiet"),
        *("help", "version", "h"),
    }
)


class Aprun(Launcher):
    """Starts as many processing elements as processes are asked for, so many per node and with so many cores each.

    GPUs belong to a node as a whole there: all elements on it see them, and aprun has no option for them. What aprun
    says of its own accord (a line about resources at the end) would be in the job's output; ``-q`` keeps it quiet,
    unless ``aprun.D`` asks for its debugging, which does not go together with that.
    """

    name: ClassVar[str] = "aprun"

    def render(self, command: str, spec: JobSpec) -> str:
        operands = as_operands(self.name, command, spec)
        resources = spec.effective_resources
        options = ["-n", str(resources.computed_process_count)]
        if resources.node_count or resources.processes_per_node:
            options += ["-N", str(resources.computed_processes_per_node)]
        if resources.cpu_cores_per_process:
            options += ["-d", str(resources.cpu_cores_per_process)]
        extra = extra_options(self.name, spec, style=Style.JOINED, own=_OWN, one_dash=("cc", "cp", "sl", "sn", "ss"))
        if not any(word == "-D" or word.startswith("--debug") for word in extra):
            extra.append("-q")
        return f"export PATH\nexec aprun {join(options + extra)} {operands}"
